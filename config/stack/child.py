"""Becomes the command it is given, after tying its life to its parent's and, if asked, giving up root.

Run by path, not imported: `python -I -S child.py SIGNAL PARENT WAY COMMAND...`. When the process PARENT ends, however it
ends, the kernel sends SIGNAL to the command. WAY says how root is given up: `keep` not at all, `namespace` as nobody in a
user namespace of its own (files stay root's outside), `nobody` as the real user nobody.
"""

import ctypes
import os
import sys

NOBODY = 65534
CLONE_NEWUSER = 0x10000000
PR_SET_PDEATHSIG, PR_SET_KEEPCAPS, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE = 1, 8, 47, 2
CAP_DAC_OVERRIDE = 1
CAPABILITY_VERSION_3 = 0x20080522


def enter_namespace(libc: ctypes.CDLL) -> None:
    """Become nobody in a new user namespace; raises OSError where the system does not allow it."""
    uid, gid = os.geteuid(), os.getegid()
    if libc.unshare(CLONE_NEWUSER) != 0:
        raise OSError(ctypes.get_errno(), "user namespaces are not allowed here")
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{NOBODY} {uid} 1"),
        ("gid_map", f"{NOBODY} {gid} 1"),
    ):
        with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
            file.write(text)


def become_nobody(libc: ctypes.CDLL | None) -> None:
    """Become the user nobody, who may still walk through root's private directories to its own files."""
    if libc:
        libc.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0)
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)
    if libc:
        keep_directory_access(libc)


def keep_directory_access(libc: ctypes.CDLL) -> None:
    """Carry one capability over the next exec: a checkout in /root (0700) would be out of reach otherwise."""
    bit = 1 << CAP_DAC_OVERRIDE
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    sets = (ctypes.c_uint32 * 6)(bit, bit, bit, 0, 0, 0)
    if libc.capset(header, sets) == 0:
        libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_DAC_OVERRIDE, 0, 0)


def main(arguments: list[str]) -> None:
    """Do what the module's docstring says; never returns."""
    number, parent, way, *command = arguments
    linux = sys.platform.startswith("linux")
    libc = ctypes.CDLL(None, use_errno=True) if linux else None
    if way == "namespace":
        if not libc:
            raise OSError("user namespaces are a thing of Linux")
        enter_namespace(libc)
    elif way == "nobody":
        become_nobody(libc)
    if libc:
        libc.prctl(PR_SET_PDEATHSIG, int(number), 0, 0, 0)
    if os.getppid() != int(parent):  # it ended before the line above
        raise SystemExit("the parent has ended")
    os.execvp(command[0], command)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except OSError as error:
        raise SystemExit(f"{sys.argv[4] if len(sys.argv) > 4 else 'child'}: {error}") from None
