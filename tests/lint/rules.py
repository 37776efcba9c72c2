"""The rules of the source tree. Each is a function: tree -> list of what breaks it."""

import os
import re

CXX = (".cc", ".h", ".c")
MAX_FILE_LINES = 500
MAX_FUNCTION_LINES = 80
MAX_README_LINES = 60
MAX_PYTHON_COLUMNS = 100

# ---- which folder may include which ----------------------------------------------------------

MAY_INCLUDE = {
    "common": {"common"},
    "shm": {"common", "shm"},
    "supervisor": {"common", "shm", "supervisor"},
    "intake_worker": {"common", "shm", "intake_worker"},
    "kafka_worker": {"common", "shm", "kafka_worker", "kafka_worker/protocol"},
    "kafka_worker/protocol": {"common", "kafka_worker/protocol"},
    "status_http": {"common", "status_http"},
    "doryctl": {"common", "shm", "doryctl"},
    "clients/c": {"clients/c"},
}
# Of shm the supervisor sees what holds no message.
SUPERVISOR_SEES = {"superblock", "slots", "worker_slots", "counters", "segment", "layout", "books",
                   "breadcrumb", "soundness", "store", "report"}

# Each third-party header is named in one place.
NAMED_IN = {
    r"ev(\+\+)?\.h": r"common/event_loop\.(h|cc)",
    r"(ini\.h|INIReader\.h)": r"common/config\w*\.(h|cc)",
    r"boost/interprocess/.*": r"shm/(segment|mapping)\w*\.(h|cc)",
    r"boost/container/.*": r"kafka_worker/topics\.h",
    r"spdlog/.*": r"common/log\.(h|cc)",
    r"zlib\.h": r"common/crc32\.cc|kafka_worker/compressor\.cc|tests/unit/kafka_worker/.*",
    r"(snappy|lz4\w*|xxhash|zstd\w*)\.h": r"kafka_worker/compressor\.cc|tests/unit/kafka_worker/.*",
    r"microhttpd\.h": r"status_http/http_server\.(h|cc)",
    r"librdkafka/.*": r"(tests|bench)/.*",
    r"openssl/.*": r"kafka_worker/tls_\w+\.cc",
    r"sasl/.*": r"kafka_worker/sasl_client\.cc",
}

INCLUDE = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)[">]', re.M)


def list_includes(tree, quote):
    for path in tree.list(*CXX):
        for kind, name in INCLUDE.findall(tree.read(path)):
            if kind == quote:
                yield path, name


def check_include_direction(tree):
    """common <- shm <- the processes; kafka_worker/protocol sees common only."""
    bad = []
    for path, name in list_includes(tree, '"'):
        allowed = MAY_INCLUDE.get(os.path.dirname(path))
        folder = os.path.dirname(name) or os.path.dirname(path)
        if allowed is not None and folder not in allowed:
            bad.append("%s includes %s" % (path, name))
    return bad


def check_supervisor_sees_no_message(tree):
    """The supervisor includes no ring end and no pool."""
    bad = []
    for path, name in list_includes(tree, '"'):
        folder, header = os.path.split(name)
        if path.startswith("supervisor/") and folder == "shm" \
                and os.path.splitext(header)[0] not in SUPERVISOR_SEES:
            bad.append("%s includes %s" % (path, name))
    return bad


def check_third_party_headers(tree):
    """A third-party header is named in one place."""
    bad = []
    for path, name in list_includes(tree, "<"):
        for header, place in NAMED_IN.items():
            if re.fullmatch(header, name) and not re.fullmatch(place, path):
                bad.append("%s includes <%s>" % (path, name))
    return bad


# ---- length ----------------------------------------------------------------------------------

def check_file_length(tree):
    """A C++ file has at most 500 lines."""
    return ["%s has %d lines" % (path, lines) for path in tree.list(*CXX)
            if (lines := tree.read(path).count("\n")) > MAX_FILE_LINES]


LITERALS = re.compile(
    r'//[^\n]*|/\*.*?\*/|R"(?P<d>[^(\s]*)\(.*?\)(?P=d)"|"(?:\\.|[^"\\\n])*"|'
    r"(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])+'|^[ \t]*#(?:[^\n\\]|\\.)*", re.S | re.M)


def blank_literals(text):
    """The text with comments, strings and preprocessor lines gone, all line breaks kept."""
    return LITERALS.sub(lambda m: "\n" * m.group().count("\n"), text)


NO_FUNCTION = re.compile(r"^\s*(template\s*<.*>\s*)?(inline\s+)?"
                         r"(namespace|class|struct|union|enum|extern)\b", re.S)


def opens_function(header):
    """Whether the `{` after this text begins a function's body."""
    return "(" in header and not NO_FUNCTION.match(header) \
        and not header.rstrip().endswith(("=", "(", ",", "return"))


def list_functions(text):
    """(line, lines, header) of each function of a C++ file, by its braces."""
    text = blank_literals(text)
    depth, function_depth, begin, header_at = 0, None, 0, 0
    for match in re.finditer(r"[{};]", text):
        at, token = match.start(), match.group()
        depth += {"{": 1, "}": -1, ";": 0}[token]
        if function_depth is None and token == "{" and opens_function(text[header_at:at]):
            function_depth = depth - 1
            begin = header_at + len(text[header_at:at]) - len(text[header_at:at].lstrip())
        elif token == "}" and depth == function_depth:
            function_depth = None
            yield (text.count("\n", 0, begin) + 1, text.count("\n", begin, at) + 1,
                   " ".join(text[begin:at].split("{")[0].split()))
        header_at = at + 1


def check_function_length(tree):
    """A function has at most 80 lines."""
    return ["%s:%d: %d lines: %s" % (path, line, lines, header[:60])
            for path in tree.list(*CXX)
            for line, lines, header in list_functions(tree.read(path))
            if lines > MAX_FUNCTION_LINES]


# ---- words -----------------------------------------------------------------------------------

# One word per idea: message, record, batch; reject, discard.
FORBIDDEN_WORDS = {"packet", "packets", "item", "items", "drop", "drops", "dropped"}
TYPE_NAME = re.compile(r"\b(?:struct|class|enum|enum class|union|message)\s+([A-Z]\w*)")
FIELD_NAME = re.compile(r"^\s*(?:[\w:<>,*&]+ )+(\w+)(?: = [^;]*)?;", re.M)


def words_of(name):
    return {word.lower() for word in re.findall(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])", name)}


def check_words(tree):
    """Types and fields have the design's words: no packet, item or drop."""
    bad = []
    for path in tree.list(".h", ".cc", ".proto"):
        text = blank_literals(tree.read(path))
        names = TYPE_NAME.findall(text) + FIELD_NAME.findall(text)
        bad += ["%s: %s" % (path, name) for name in names if words_of(name) & FORBIDDEN_WORDS]
    return bad


# Put together, so that this file does not break the rule itself.
UNFINISHED = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X|GTEST_" r"SKIP|DISABLED" r"_\w*)\b")


def check_unfinished(tree):
    """Nothing says that it is unfinished, and no test is switched off."""
    return ["%s: %s" % (path, match.group()) for path in tree.list()
            for match in UNFINISHED.finditer(tree.read(path))]


COMMON_PLACES = {"/", "/home", "/mnt", "/opt", "/root", "/src", "/srv", "/tmp", "/usr", "/usr/src",
                 "/var", "/var/tmp"}


def machine_paths(top):
    """What only this machine or one user of it has."""
    places = [r"/root/", r"/home/\w+/"]
    for place in (top, os.path.dirname(top)):
        if place not in COMMON_PLACES:
            places.append(re.escape(place) + r"\b")
    return re.compile(r"(?<![\w.~$}])(?:%s)" % "|".join(places))


def check_machine_paths(tree):
    """No path of the machine that it was written on."""
    pattern = machine_paths(tree.top)
    return ["%s: %s" % (path, match.group()) for path in tree.list()
            if path != "tests/lint/rules.py" for match in pattern.finditer(tree.read(path))]


# ---- documents and Python --------------------------------------------------------------------

def source_folders(tree):
    """Every folder that holds sources; those under tests/unit mirror others and need no words."""
    folders = {os.path.dirname(path) for path in tree.list()
               if path.endswith(CXX + (".py", ".go", ".proto")) or is_python(tree, path)}
    return sorted(f for f in folders if f and not f.startswith("tests/unit/"))


def check_readmes(tree):
    """Every source folder has a README.md of at most 60 lines."""
    bad = []
    for folder in source_folders(tree):
        readme = folder + "/README.md"
        if readme not in tree.paths:
            bad.append(readme + " is missing")
        elif tree.read(readme).count("\n") > MAX_README_LINES:
            bad.append("%s has over %d lines" % (readme, MAX_README_LINES))
    return bad


def is_python(tree, path):
    return path.endswith(".py") or \
        "." not in os.path.basename(path) and tree.read(path).startswith("#!/usr/bin/env python3")


def check_python(tree):
    """Python compiles and keeps to 100 columns."""
    bad = []
    for path in filter(lambda path: is_python(tree, path), tree.list()):
        text = tree.read(path)
        try:
            compile(text, path, "exec")
        except SyntaxError as error:
            bad.append("%s:%s: %s" % (path, error.lineno, error.msg))
        bad += ["%s:%d: over %d columns" % (path, number, MAX_PYTHON_COLUMNS)
                for number, line in enumerate(text.splitlines(), 1)
                if len(line) > MAX_PYTHON_COLUMNS]
    return bad


RULES = [rule for name, rule in sorted(globals().items()) if name.startswith("check_")]
