"""Build a release on a throwaway Debian 13 host: wheels, static files, bill of materials, checksums, one archive.

build.py SOURCE.tar VERSION EPOCH [--wheels CACHED.tar]

What is built, and how it is run, its pyproject.toml says (contract.py).
Works in /build, so that paths inside compiled code are the same each time. Leaves /build/out/NAME-VERSION.tar.zst and,
where wheels had to be fetched or compiled, /build/out/wheels.tar for the controller to keep. With cached wheels it compiles
nothing and asks no package index.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import contract
from bill_of_materials import bill_of_materials, metadata, normalised

BUILD = Path("/build")
APP = BUILD / "source" / "app"
CACHE = BUILD / "cache"  # cache/runtime and cache/build: what the two locks name
RELEASE = BUILD / "release"


def run(*command: str | Path, **environment: str) -> None:
    subprocess.run([str(part) for part in command], check=True, env={**os.environ, **environment})


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def say(text: str) -> None:
    print(f"build: {text}", flush=True)


def fresh(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def unpack(archive: Path, folder: Path) -> None:
    with tarfile.open(archive) as tar:
        tar.extractall(fresh(folder), filter="data")


def fetch_wheels(python: Path) -> None:
    """Each file is checked against the lock before it is used; mysqlclient, the only one without a wheel, is compiled here."""
    fresh(CACHE)
    pip: list[str | Path] = [python, "-m", "pip", "--disable-pip-version-check", "wheel", "--quiet", "--require-hashes", "--no-deps"]
    say("fetching the build tools and packages that the locks name")
    run(*pip, "--only-binary=:all:", "--wheel-dir", CACHE / "build", "--requirement", APP / "requirements/build.txt")
    install(python, CACHE / "build")
    run(*pip, "--no-build-isolation", "--wheel-dir", CACHE / "runtime", "--requirement", APP / "requirements/runtime.txt")
    with tarfile.open(BUILD / "out" / "wheels.tar", "w") as tar:
        for folder in ("build", "runtime"):
            tar.add(CACHE / folder, arcname=folder)


def pinned(folder: Path) -> Path:
    """A requirements file of exactly the wheels in this folder, with the hashes of the files as they are."""
    lines = []
    for wheel in sorted(folder.glob("*.whl")):
        about = metadata(wheel)
        lines.append(f"{normalised(about['Name'])}=={about['Version']} --hash=sha256:{sha256(wheel)}\n")
    target = folder.parent / f"{folder.name}-requirements.txt"
    target.write_text("".join(lines))
    return target


def install(python: Path, folder: Path) -> None:
    offline: list[str | Path] = ["--no-index", "--find-links", folder, "--require-hashes", "--only-binary=:all:", "--no-deps"]
    run(python, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", *offline, "--requirement", pinned(folder))


def virtual_environment(name: str) -> Path:
    run(sys.executable, "-m", "venv", "--clear", BUILD / name)
    return BUILD / name / "bin" / "python"


def checksums() -> None:
    files = sorted(path for path in RELEASE.rglob("*") if path.is_file())
    (RELEASE / "SHA256SUMS").write_text("".join(f"{sha256(path)}  {path.relative_to(RELEASE)}\n" for path in files))


def archive(target: Path, epoch: str) -> None:
    """Same content, same bytes: sorted names, one time, no owner."""
    reproducible = ["--sort=name", f"--mtime=@{epoch}", "--owner=0", "--group=0", "--numeric-owner", "--mode=u=rwX,go=rX"]
    plain = target.with_suffix("")
    run("tar", "--format=gnu", *reproducible, "--directory", RELEASE, "--create", "--file", plain, ".")
    run("zstd", "--quiet", "--force", "-12", "--rm", plain, "-o", target)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path)
    parser.add_argument("version")
    parser.add_argument("epoch")
    parser.add_argument("--wheels", type=Path)
    arguments = parser.parse_args()
    version, epoch = arguments.version, arguments.epoch
    os.environ |= {"SOURCE_DATE_EPOCH": epoch, "CASEMATE_VERSION": version, "PYTHONHASHSEED": "0", "LC_ALL": "C.UTF-8"}
    os.umask(0o022)

    fresh(BUILD / "out")
    unpack(arguments.source, BUILD / "source")
    project = contract.read(APP)
    fresh(RELEASE)
    python = virtual_environment("tools")
    if arguments.wheels:
        say("taking the wheels that an earlier build kept")
        unpack(arguments.wheels, CACHE)
        install(python, CACHE / "build")
    else:
        fetch_wheels(python)

    wheels = RELEASE / "wheels"
    shutil.copytree(CACHE / "runtime", wheels)
    say("building the application's own wheel")
    own: list[str | Path] = ["--no-build-isolation", "--no-deps", "--no-index", "--wheel-dir", wheels]
    run(python, "-m", "pip", "--disable-pip-version-check", "wheel", "--quiet", *own, APP)

    say("installing the release as a host will, and collecting its static files")
    runtime = virtual_environment("runtime")
    install(runtime, wheels)
    shutil.move(RELEASE / "wheels-requirements.txt", RELEASE / "requirements.txt")
    run(runtime, "-m", "pip", "--disable-pip-version-check", "check")
    manage = [runtime.with_name(project.manage)] if project.manage else [runtime, "-P", "-m", "django"]
    settings = {"CASEMATE_BUILD": "1", "CASEMATE_STATIC_ROOT": str(RELEASE / "static"), "DJANGO_SETTINGS_MODULE": project.settings}
    run(*manage, "check", "--deploy", "--fail-level", "WARNING", **settings)
    run(*manage, "collectstatic", "--no-input", "--verbosity", "0", **settings)
    if not (RELEASE / "static" / "staticfiles.json").is_file():
        # Browsers keep these files for ever: a new one needs a new name.
        sys.exit(f"build: {project.settings} collects static files without a hash in their names: use ManifestStaticFilesStorage.")

    say("writing bill of materials, manifest and checksums")
    built = sorted(wheels.glob("*.whl"))
    timestamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(int(epoch)))
    (RELEASE / "sbom.cdx.json").write_text(json.dumps(bill_of_materials(built, project.name, version, timestamp), indent=2) + "\n")
    names = sorted(path for path in RELEASE.rglob("*") if path.is_file())
    files = {str(path.relative_to(RELEASE)): sha256(path) for path in names}
    python_version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    manifest = {"version": version, "python": python_version, "application": project.manifest(), "files": files}
    (RELEASE / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")
    checksums()
    archive(BUILD / "out" / f"{project.name}-{version}.tar.zst", epoch)
    say(f"{project.name}-{version}.tar.zst with {len(built)} wheels and {len(files)} files")


if __name__ == "__main__":
    main()
