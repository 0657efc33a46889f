"""Makes a host of the image; runs inside the build.

Python finds our packages after those that are installed beside them, so an installer that tidies
up leaves ours alone. The one base comes from a registry and the other from Debian's packages, and
each lacks something else.
"""

import shutil
import site
import sys
import sysconfig
from pathlib import Path

OURS = Path("/opt/python")
PROGRAMS = Path("/usr/local/bin")
# Where Debian's own are before it is configured.
USERS = {
    Path("/etc/passwd"): Path("/usr/share/base-passwd/passwd.master"),
    Path("/etc/group"): Path("/usr/share/base-passwd/group.master"),
}


def main() -> None:
    """Arrange paths, programs and users."""
    beside = Path(site.getsitepackages()[0])
    beside.mkdir(parents=True, exist_ok=True)
    packages = OURS / "lib" / "python3.11" / "site-packages"
    (beside / "host.pth").write_text(f"{packages}\n")
    # Debian's way to say that only Debian installs here.
    (Path(sysconfig.get_path("stdlib")) / "EXTERNALLY-MANAGED").unlink(missing_ok=True)
    PROGRAMS.mkdir(parents=True, exist_ok=True)
    for name, program in {
        "python": sys.executable,
        "python3": sys.executable,
        "uv": str(OURS / "bin" / "uv"),
    }.items():
        if not (PROGRAMS / name).exists():
            (PROGRAMS / name).symlink_to(program)
    for path, master in USERS.items():
        if not path.exists():
            shutil.copyfile(master, path)


if __name__ == "__main__":
    main()
