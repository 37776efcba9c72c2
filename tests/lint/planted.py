"""The rules' own tests: each catches a fault planted in a small tree, and lets its twin pass."""

import os
import tempfile

import rules

LONG_BODY = "  Step();\n" * 80
HOME_PATH = "/ro" "ot/secret"

# rule, file, text that breaks it, text that does not
PLANTED = [
    (rules.check_include_direction, "common/a.cc", '#include "shm/ring.h"\n',
     '#include "common/a.h"\n#include "a.h"\n'),
    (rules.check_include_direction, "kafka_worker/protocol/a.h", '#include "shm/pool.h"\n',
     '#include "common/bytes.h"\n#include "kafka_worker/protocol/b.h"\n'),
    (rules.check_include_direction, "intake_worker/a.cc", '#include "kafka_worker/batch.h"\n',
     '#include "shm/ring_writer.h"\n'),
    (rules.check_supervisor_sees_no_message, "supervisor/a.cc", '#include "shm/ring_reader.h"\n',
     '#include "shm/superblock.h"\n'),
    (rules.check_third_party_headers, "supervisor/a.cc", "#include <ev.h>\n",
     "#include <event.h>\n"),
    (rules.check_third_party_headers, "common/bytes.h", "#include <spdlog/spdlog.h>\n",
     "// <ev.h>\n"),
    (rules.check_file_length, "shm/a.h", "\n" * 501, "\n" * 500),
    (rules.check_function_length, "shm/a.cc", "void F() {\n" + LONG_BODY + "}\n",
     "namespace a {\nvoid F() {\n" + "}\n" + "int x;\n" * 90 + "}\n"),
    (rules.check_function_length, "shm/b.cc",
     "class A {\n A(int b) : b_(b) {\n  if (x) { Y(); }\n" + LONG_BODY + " }\n};\n",
     "constexpr Row kTable[] = {\n" + "  {F(1), '{'},  // {\n" * 90 + "};\n"),
    (rules.check_words, "shm/a.h", "struct PacketHead {\n};\n",
     "// no packet\nstruct MessageHead {};\n"),
    (rules.check_words, "common/a.proto", "message A {\n  int32 dropped_count = 1;\n}\n",
     "message A {\n  int32 discarded = 1;\n}\n"),
    (rules.check_unfinished, "shm/a.cc", "// TO" "DO: more\n", "// done\n"),
    (rules.check_machine_paths, "doc/a.md", "see " + HOME_PATH + "\n",
     "see $HOME/x, /rootless/x\n"),
    (rules.check_readmes, "shm/a.cc", "", None),
    (rules.check_python, "tests/a.py", "x = (\n", "x = 1\n"),
    (rules.check_python, "tests/b.py", "x = 1  # " + "-" * 100 + "\n", "x = 1\n"),
]


def breaks(tree_of, rule, path, text):
    with tempfile.TemporaryDirectory() as top:
        full = os.path.join(top, path)
        os.makedirs(os.path.dirname(full))
        with open(full, "w", encoding="utf-8") as file:
            file.write(text)
        return rule(tree_of(top))


def try_all(tree_of):
    """(name, what is wrong) of each planted fault."""
    for rule, path, broken, sound in PLANTED:
        bad = []
        if not breaks(tree_of, rule, path, broken):
            bad.append("not caught: %r" % broken[:60])
        if sound is not None:
            bad += ["caught for nothing: " + what for what in breaks(tree_of, rule, path, sound)]
        yield "%s in %s" % (rule.__name__, path), bad
