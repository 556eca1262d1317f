"""How scripts run this library: with the JDK of a bundle (see ../gpu) or an installed one."""
import os, re, subprocess, sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
CLASSPATH = f"{ROOT}/bench/target/classes:{ROOT}/bench/target/lib/*"
FLAGS = ["--enable-native-access=ALL-UNNAMED", "--add-modules", "jdk.incubator.vector", "-cp", CLASSPATH]


def java():
    homes = [str(ROOT / "jdk"), os.environ.get("JAVA_HOME", "")] + sorted(map(str, Path("/usr/lib/jvm").glob("*")))
    for home in homes:
        release = Path(home, "release")
        if home and release.exists() and int(re.search(r'JAVA_VERSION="(\d+)', release.read_text())[1]) >= 25:
            return f"{home}/bin/java"
    sys.exit("no JDK 25 (set JAVA_HOME)")


def run(command, env=None):
    done = subprocess.run(list(map(str, command)), cwd=ROOT, env={**os.environ, **(env or {})}, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


def build():
    if (ROOT / "pom.xml").exists():  # not in a bundle
        print("building …", file=sys.stderr)
        run(["mvn", "-B", "-ntp", "-q", "-DskipTests", "package"])


def checkpoint(shape):
    """The directory of a checkpoint of random weights; made once."""
    return run([java(), *FLAGS, "org.lmdebugger.bench.Checkpoints", shape]).split()[-1]
