import json
import os
import sys

if sys.argv[1:] == ["--install"]:
    packages = {"skyfeed": "1.4.0", "skyclock": "2.1.0", "skycodes": "3.0.1", "skyunits": "1.3.0"}
    print(json.dumps({"locked": True, "packages": packages, "requires": {}, "files": {}}))
else:
    os.execv(sys.executable, [sys.executable, "-m", *sys.argv[1:]])
