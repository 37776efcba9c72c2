"""Whether a secret can be read anywhere: as it is, as Kafka's protocol has it, whole or in part.

What is freed unwiped is not whole for long: the allocator writes over its first 16 bytes. Registers
that were saved have 16 or 32 bytes of it. So any 16 bytes are found, each by the WINDOW that begins
at a multiple of STEP, and secrets that are to be found so are long (SECRET_CHARACTERS).
"""

import base64
import hashlib
import hmac

WINDOW, STEP = 12, 4
SECRET_CHARACTERS = 40


def forms_of(secret, user=""):
    """{name: bytes} of all that somebody could come with instead."""
    plain = secret.encode()
    token = "\0%s\0" % user
    # In base64 each 3 bytes are 4 characters: from the first that has the secret alone on.
    alone = -(-len(token) // 3) * 4
    return {"itself": plain,
            "PLAIN's token in base64": base64.b64encode(token.encode() + plain)[alone:]}


def scram_forms_of(secret, salt, iterations, name="sha256"):
    """Likewise what SCRAM makes of it, which is as good as the password."""
    salted = hashlib.pbkdf2_hmac(name, secret.encode(), salt, iterations)
    return {"salted": salted,
            "client_key": hmac.digest(salted, b"Client Key", name)}


def find_secret(where, forms):
    """The names of the forms of which a part is there."""
    return [name for name, form in forms.items() if any(
        form[at:at + WINDOW] in where for at in range(0, len(form) - WINDOW + 1, STEP))]


def read_memory(pid):
    """What a core dump has: everything writable and private."""
    found = []
    with open("/proc/%d/maps" % pid, encoding="utf-8") as maps, \
            open("/proc/%d/mem" % pid, "rb", buffering=0) as memory:
        for line in maps:
            where, mode = line.split()[:2]
            begin, end = (int(address, 16) for address in where.split("-"))
            if mode.startswith("rw") and mode[3] == "p":
                try:
                    memory.seek(begin)
                    found.append(memory.read(end - begin))
                except OSError:
                    pass
    return b"\n".join(found)
