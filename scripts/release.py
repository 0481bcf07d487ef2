"""release.py [VERSION]: make a release in dist/, and look whether it is one.

With VERSION it first writes that number wherever it stands and gives CHANGELOG.md its section; with
none it makes the release of the number that stands there. It commits and tags nothing: it says what
to type. It needs `make dev` and `make infra`, and an index of packages.

1. The documentation for `storekeeper docs`; the source distribution, and the wheel made of it.
2. For each Python from 3.11 that is found, in an environment of its own: the locked packages of
   `serve` and `worker`, the wheel, every module imported, the number asked for. The newest Python
   for which all packages of requirements/up.txt have wheels runs `storekeeper up`, is asked over
   HTTPS, and stops.
3. storekeeper-VERSION.cdx.json, the software bill of materials (CycloneDX) of that environment. A
   licence that LICENCES does not name stops the release.
4. Known vulnerabilities, by pip-audit, where their data can be had.
5. SHA256SUMS.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import ssl
import subprocess
import sys
import tempfile
import tomllib
import urllib.request
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DIST = ROOT / "dist"
UV = ROOT / ".venv" / "bin" / "uv"
NUMBERED = (
    "infra/compose/compose.yaml",
    "infra/compose/.env.example",
    "infra/container/Containerfile",
    "infra/kubernetes/base/api.yaml",
    "infra/kubernetes/base/worker.yaml",
    "infra/kubernetes/migrate/job.yaml",
    "infra/kubernetes/overlays/example/kustomization.yaml",
    "infra/kubernetes/overlays/example/migrate/kustomization.yaml",
    "docs/how-to/deploy-compose.md",
)
"""Files that name an image by the number of the release."""
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
LICENCES = re.compile(
    r"(Apache|MIT|BSD|0BSD|ISC|PSF|Python Software Foundation|MPL|Mozilla|Unlicense|Zlib|CC0"
    r"|HPND|PostgreSQL|public domain|CMU)",
    re.IGNORECASE,
)
"""Licences under which a package may come with a service that others host and pass on."""
READ = {"rich-click": "MIT"}
"""Packages whose metadata name no licence, with that of the file which comes with them."""
FORBIDDEN = re.compile(r"\b(A?GPL|GNU (Affero )?General)", re.IGNORECASE)


class ReleaseError(Exception):
    """Why there is no release; what to do is part of it."""


def main(argv: list[str]) -> int:
    """Make the release; 1 and a line on stderr where it is none, 2 for wrong use."""
    if len(argv) > 1 or (argv and not re.fullmatch(r"\d+\.\d+\.\d+", argv[0])):
        print("release: say `make release VERSION=1.2.3`, or name no VERSION.", file=sys.stderr)
        return 2
    try:
        if argv:
            set_version(argv[0])
        version = current_version()
        check_changelog(version)
        wheel = build(version)
        environment = try_everywhere(wheel, version)
        bill = bill_of_materials(environment, version)
        check_licences(bill)
        audit()
        write_checksums()
    except ReleaseError as error:
        print(f"release: {error}.", file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as error:
        print(f"release: {' '.join(map(str, error.cmd))} failed: see above.", file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(ROOT / "build" / "release", ignore_errors=True)
    print(f"Made in {DIST.name}/:")
    for file in sorted(DIST.iterdir()):
        print(f"  {file.name}  {file.stat().st_size:,} bytes")
    print("To publish it:")
    print(f'  git commit -am "Release {version}" && git tag -a v{version} -m "Release {version}"')
    print(f"  git push --follow-tags && {sys.executable} -m twine upload dist/*.whl dist/*.tar.gz")
    return 0


def current_version() -> str:
    """What pyproject.toml says; every file that repeats it says the same.

    Raises:
        ReleaseError: one does not.
    """
    found = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    for name in NUMBERED:
        if found not in (ROOT / name).read_text():
            raise ReleaseError(f"{name} does not name {found}: run `make release VERSION=...`")
    return str(found)


def set_version(version: str) -> None:
    """Write the number wherever it stands, and begin its section in CHANGELOG.md.

    Raises:
        ReleaseError: nothing stands under Unreleased, or the number is not a later one.
    """
    before = current_version()
    if (
        _order(version) <= _order(before)
        and f"## [{version}]" in (ROOT / "CHANGELOG.md").read_text()
    ):
        raise ReleaseError(f"{version} is released; the next number is later than {before}")
    changes = (ROOT / "CHANGELOG.md").read_text()
    head, mark, rest = changes.partition("## [Unreleased]\n")
    if not mark or not re.match(r"\s*###", rest):
        raise ReleaseError("CHANGELOG.md has nothing under `## [Unreleased]`: say what is new")
    today = f"{datetime.now(UTC):%Y-%m-%d}"  # noqa: TID251 (a program without ports)
    (ROOT / "CHANGELOG.md").write_text(f"{head}{mark}\n## [{version}] - {today}\n{rest}")
    project = (ROOT / "pyproject.toml").read_text()
    (ROOT / "pyproject.toml").write_text(
        project.replace(f'version = "{before}"', f'version = "{version}"', 1)
    )
    for name in NUMBERED:
        file = ROOT / name
        file.write_text(
            re.sub(rf"(?<![\d.]){re.escape(before)}(?![\d.])", version, file.read_text())
        )


def _order(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def check_changelog(version: str) -> None:
    """Whether CHANGELOG.md says what this release changes.

    Raises:
        ReleaseError: it has no section of this number.
    """
    changes = (ROOT / "CHANGELOG.md").read_text()
    if not re.search(rf"^## \[{re.escape(version)}\] - \d{{4}}-\d\d-\d\d$", changes, re.MULTILINE):
        raise ReleaseError(
            f"CHANGELOG.md has no section `## [{version}] - DATE`: run `make release VERSION=...`"
        )


def build(version: str) -> Path:
    """The source distribution, and the wheel that is built of it and not of this folder.

    Raises:
        ReleaseError: the wheel lacks something, or holds what is not the service.
    """
    shutil.rmtree(DIST, ignore_errors=True)
    _run("make", "--silent", "docs")
    committed = _said("git", "log", "-1", "--format=%ct")
    environment = {**os.environ, "SOURCE_DATE_EPOCH": committed}
    _run(sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", DIST, env=environment)
    [source] = DIST.glob("*.tar.gz")
    with tempfile.TemporaryDirectory() as folder:
        shutil.unpack_archive(source, folder, filter="data")
        [tree] = Path(folder).iterdir()
        wheel_command = (sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", DIST)
        _run(*wheel_command, cwd=tree, env=environment)
    [wheel] = DIST.glob(f"storekeeper-{version}-*.whl")
    return wheel


def try_everywhere(wheel: Path, version: str) -> Path:
    """Install the wheel for each Python; the environment in which `up` was tried.

    Raises:
        ReleaseError: no Python was found, or the wheel does not do there what it must.
    """
    tried: list[Path] = []
    for python in PYTHONS:
        if _done(UV, "python", "find", python).returncode != 0:
            print(f"Python {python}: not found here, not tried")
            continue
        environment = ROOT / "build" / "release" / python
        _run(UV, "venv", "--quiet", "--clear", "--python", python, environment)
        everything = _installed(environment, "up.txt")
        if not everything and not _installed(environment, "core.txt"):
            raise ReleaseError(f"Python {python}: requirements/core.txt has no wheels for it")
        _run(UV, "pip", "install", "--quiet", "--python", environment, "--no-deps", wheel)
        check_modules(environment, version)
        check_docs(environment)
        print(f"Python {python}: {'up.txt' if everything else 'core.txt'}, all modules imported")
        if everything:
            tried.append(environment)
    if not tried:
        raise ReleaseError("no Python was found for which all of requirements/up.txt has wheels")
    check_up(tried[-1])
    return tried[-1]


def _installed(environment: Path, lock: str) -> bool:
    words = ("--quiet", "--no-build", "--require-hashes", ROOT / "requirements" / lock)
    return _done(UV, "pip", "sync", "--python", environment, *words).returncode == 0


def check_modules(environment: Path, version: str) -> None:
    """Import every module of the wheel, away from the source, and ask its command for its number.

    Each of its packages says that it is typed.

    Raises:
        ReleaseError: the number is another.
    """
    code = (
        "import importlib, importlib.metadata, sys\n"
        "names = [str(f)[:-3].replace('/', '.').removesuffix('.__init__')\n"
        "         for f in importlib.metadata.files('storekeeper')\n"
        # Pages link to sources, of which the documentation holds copies.
        "         if f.suffix == '.py' and 'site' not in f.parts]\n"
        "assert len(names) > 200, names\n"
        "files = importlib.metadata.files('storekeeper')\n"
        "typed = {f.parts[0] for f in files if f.name == 'py.typed'}\n"
        "assert typed == {'domain', 'ports', 'adapters', 'entrypoints'}, typed\n"
        "for name in names:\n"
        "    if not name.endswith('__main__'):\n"
        "        importlib.import_module(name)\n"
    )
    _run(environment / "bin" / "python", "-I", "-c", code, cwd="/")
    said = _said(environment / "bin" / "storekeeper", "--version")
    if version not in said.split():
        raise ReleaseError(f"`storekeeper --version` says {said}, not {version}")


def check_docs(environment: Path) -> None:
    """Have the wheel write its documentation, away from the source.

    Raises:
        ReleaseError: a page is missing.
    """
    with tempfile.TemporaryDirectory() as folder:
        site = Path(folder) / "site"
        _run(environment / "bin" / "storekeeper", "docs", "--out", site, cwd="/")
        for page in ("index.html", "docs/README.html", "docs/reference/cli.html", "searchindex.js"):
            if not (site / page).is_file():
                raise ReleaseError(f"the documentation in the wheel has no {page}")


def check_up(environment: Path) -> None:
    """Start everything from the wheel, ask it over HTTPS, and stop it.

    Raises:
        ReleaseError: it does not answer as it must.
    """
    storekeeper = environment / "bin" / "storekeeper"
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)  # the servers run in an account of their own when root calls
        port = "18443"
        where = ("--state-dir", folder)
        _run(storekeeper, "up", "--detach", "--port", port, *where, cwd="/")
        try:
            certificates = next(Path(folder).rglob("*ca*.pem"), None)
            trusted = ssl.create_default_context(cafile=str(certificates))
            url = f"https://localhost:{port}/users"
            with urllib.request.urlopen(url, context=trusted, timeout=30) as answer:
                users = json.load(answer)
        finally:
            _run(storekeeper, "stop", *where, cwd="/")
    if not users["items"]:
        raise ReleaseError("the stack of the wheel has no users")
    print(f"{environment.name}: `storekeeper up` answered {url}")


def bill_of_materials(environment: Path, version: str) -> Path:
    """What the environment consists of, in CycloneDX.

    Raises:
        ReleaseError: the program that writes it is not installed.
    """
    program = ROOT / ".venv-infra" / "bin" / "cyclonedx-py"
    if not program.exists():
        raise ReleaseError("cyclonedx-py is missing: run ./scripts/install-infra.sh")
    file = DIST / f"storekeeper-{version}.cdx.json"
    words = ("--pyproject", ROOT / "pyproject.toml", "--output-reproducible", "-o", file)
    _run(program, "environment", *words, environment)
    return file


def check_licences(bill: Path) -> None:
    """Whether all that comes along may be passed on.

    Raises:
        ReleaseError: a licence is not among those that are known to allow it.
    """
    unknown = []
    components = json.loads(bill.read_text())["components"]
    for component in components:
        names = [
            str(each.get("expression") or each["license"].get("id") or each["license"].get("name"))
            for each in component.get("licenses", [])
        ]
        said = " / ".join(names) or READ.get(component["name"], "")
        if component["name"] == "storekeeper":
            continue
        if not LICENCES.search(said) or (FORBIDDEN.search(said) and " OR " not in said):
            unknown.append(f"{component['name']} ({said or 'none is named'})")
    if unknown:
        raise ReleaseError(
            f"look at the licences of {', '.join(unknown)}, and name them in scripts/release.py"
        )
    print(f"{len(components)} components, all under licences that allow to pass them on")


def audit() -> None:
    """Look for known vulnerabilities; says why where that cannot be done.

    Raises:
        ReleaseError: there are some.
    """
    lock = ROOT / "requirements" / "up.txt"
    words = ("tool", "run", "pip-audit", "--disable-pip", "--require-hashes", "-r", lock)
    done = _done(UV, *words)
    if done.returncode == 0:
        print("pip-audit: no known vulnerability")
    elif "vulnerabilit" in done.stdout:
        raise ReleaseError(f"pip-audit found:\n{done.stdout}")
    else:
        why = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        print(f"pip-audit: NOT DONE, its data cannot be had here: {why}")


def write_checksums() -> None:
    """SHA256SUMS, as `sha256sum --check` reads it."""
    lines = [
        f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n"
        for file in sorted(DIST.iterdir())
    ]
    (DIST / "SHA256SUMS").write_text("".join(lines))


def _run(*words: object, cwd: Path | str = ROOT, env: Mapping[str, str] | None = None) -> None:
    subprocess.run([str(each) for each in words], check=True, cwd=cwd, env=env)


def _said(*words: object) -> str:
    command = [str(each) for each in words]
    return subprocess.run(
        command, check=True, cwd=ROOT, capture_output=True, text=True
    ).stdout.strip()


def _done(*words: object) -> subprocess.CompletedProcess[str]:
    command = [str(each) for each in words]
    return subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
