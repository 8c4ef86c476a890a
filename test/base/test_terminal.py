"""Commands under a locale or a stream that cannot write every character."""

import os
import subprocess
import sys

import pytest

LOCALES = {
    "C": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "ascii": {"PYTHONIOENCODING": "ascii"},
    "strict": {"PYTHONIOENCODING": "utf-8:strict"},
}
# Several commands in one process, as `rena` runs them: a help, and errors that name an odd file.
PROGRAM = """
import sys
import rena_ros.cli as cli
for arguments in eval(sys.argv[1]):
    words = [word.encode("latin-1").decode("utf-8", "surrogateescape") for word in arguments]
    try:
        print("code", cli.main(words))
    except SystemExit as end:
        print("code", end.code)
"""
ODD = "gone \u00c3\u00a9 \u00f0\u009f\u0098\u0080 \u00e9"  # the bytes of é, an emoji, and one that is no UTF-8
ERRORS = [
    ["mimic", "--source", ODD],
    ["mimic", "--model", ODD],
    ["mimic", "--params-file", ODD],
    ["collect", "--fast", "--out", "/dev/null/x", "--robot-file", ODD],
    ["servo", "scan", "--port", ODD],
    ["servo", "jog", "jaw", "--robot-file", ODD],
]


@pytest.mark.parametrize("locale", LOCALES)
def test_no_command_fails_for_a_character(locale, tmp_path):
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG"))}
    program = [sys.executable, "-c", PROGRAM, ascii([["--help"], ["collect", "--help"], *ERRORS])]
    done = subprocess.run(program, env={**environment, **LOCALES[locale]}, cwd=tmp_path, capture_output=True)
    assert b"Traceback" not in done.stderr, done.stderr.decode(errors="replace")
    codes = [line.split()[1] for line in done.stdout.splitlines() if line.startswith(b"code ")]
    assert codes == [b"0"] * 2 + [b"2"] * len(ERRORS)
    assert done.stderr.count(b"gone ") >= len(ERRORS) and b"\\udce9" in done.stderr
