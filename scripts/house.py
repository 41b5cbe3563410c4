"""The house's own rules: no file outgrows its room, and every folder says what it is."""

import subprocess
import sys
from pathlib import Path

LIMIT = 600  # lines; tables belong into data files


def main() -> int:
    names = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], capture_output=True, text=True, check=True)
    problems = []
    for name in names.stdout.splitlines():
        path = Path(name)
        if path.suffix in (".py", ".js", ".css", ".j2") and path.is_file():
            lines = len(path.read_text("utf-8").splitlines())
            if lines > LIMIT:
                problems.append(f"{name} has {lines} lines, more than {LIMIT}: redraw the room")
        if (
            path.parts[:2] == ("src", "luodi")
            and path.name == "__init__.py"
            and not path.read_text("utf-8").startswith('"""')
        ):
            problems.append(f"{name} does not say what the room is for")
    print("\n".join(problems) or "the house stands")
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main())
