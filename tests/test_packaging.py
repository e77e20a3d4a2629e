"""What is installed, from what, and what loading it costs."""

import ast
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import packages_distributions

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

# Packages whose parts are imported under names of their own.
PARTS = {"arviz-base": "arviz", "arviz-plots": "arviz", "arviz-stats": "arviz", "pytensor": "pymc", "numba": "pymc"}
CONDA_NAMES = {"matplotlib": "matplotlib-base"}


@pytest.fixture(scope="module")
def project(root):
    return tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture(scope="module")
def tracked(root):
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=root, capture_output=True, check=True, text=True).stdout
    return [root / name for name in listed.split("\0") if name and (root / name).is_file()]


def loaded_after(statement, root):
    """The modules that a fresh interpreter holds after ``statement``."""
    code = f"{statement}\nimport sys\nprint('\\n'.join(sys.modules))"
    output = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, check=True, text=True).stdout
    return {name.partition(".")[0] for name in output.split("\n")}


@pytest.mark.parametrize("statement", ["import pp_mlekl", "import pp_mlekl.cli", "import pp_mlekl; dir(pp_mlekl)"])
def test_import_loads_nothing_heavy(root, statement):
    heavy = {"pymc", "pytensor", "numba", "matplotlib", "arviz", "xarray", "pandas", "scipy", "nutpie"}
    assert heavy.isdisjoint(loaded_after(statement, root))


def test_every_public_name_is_found():
    import pp_mlekl

    assert all(callable(getattr(pp_mlekl, name)) for name in pp_mlekl.__all__ if name != "__version__")


def test_conda_environment_has_the_projects_dependencies_and_a_kernel(root, project):
    listed = re.findall(r"^ {2}- (?!pip:)(\S+)$", (root / "environment.yml").read_text(encoding="utf-8"), re.MULTILINE)
    conda = {requirement for requirement in listed if requirement not in ("conda-forge", "pip")}
    wanted = {f"python{project['requires-python']}"}
    for text in [*project["dependencies"], *project["optional-dependencies"]["notebook"]]:
        requirement = Requirement(text)
        assert str(requirement.specifier).startswith(">="), f"{text} needs a lower bound"
        wanted.add(f"{CONDA_NAMES.get(requirement.name, requirement.name)}{requirement.specifier}")
    assert conda == wanted
    assert "  - pip:\n      - -e ." in (root / "environment.yml").read_text(encoding="utf-8")


def test_constraints_are_names_and_versions_and_cover_what_is_asked_for(root, project):
    lines = (root / "constraints.txt").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if not re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.!+]+", line)] == []
    versions = {canonicalize_name(name): version for name, version in (line.split("==") for line in lines)}
    assert len(versions) == len(lines)
    asked = [*project["dependencies"], *(r for extra in project["optional-dependencies"].values() for r in extra)]
    for requirement in map(Requirement, asked):
        assert requirement.specifier.contains(versions[canonicalize_name(requirement.name)])


def test_what_is_imported_is_asked_for(root, project):
    asked = {canonicalize_name(Requirement(r).name) for r in project["dependencies"]}
    asked |= {
        canonicalize_name(r) for name in ("dask", "preliz", "zarr") for r in project["optional-dependencies"][name]
    }
    distributions = packages_distributions()
    for path in (root / "pp_mlekl").rglob("*.py"):
        for name in imported(path) - sys.stdlib_module_names - {"pp_mlekl"}:
            found = {canonicalize_name(d) for d in distributions.get(name, [name])}
            assert {PARTS.get(d, d) for d in found} & asked, f"{path.relative_to(root)} imports {name}"


def imported(path):
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.level == 0]
    return {name.partition(".")[0] for name in names}


@pytest.fixture(scope="module")
def wheel(root, tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=root, check=True, capture_output=True)
    (path,) = folder.glob("*.whl")
    return zipfile.ZipFile(path)


def test_wheel_holds_the_package_and_the_gallery(root, wheel, tracked):
    names = set(wheel.namelist())
    assert {name.split("/")[0] for name in names} == {"pp_mlekl", "pp_mlekl-0.1.0.dist-info"}
    package = {path.relative_to(root).as_posix() for path in tracked if path.is_relative_to(root / "pp_mlekl")}
    gallery = {path.relative_to(root / "models") for path in tracked if path.is_relative_to(root / "models")}
    assert package - names == {"pp_mlekl/gallery.py"}
    assert {f"pp_mlekl/gallery/{path.as_posix()}" for path in gallery} <= names
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_gallery_of_the_wheel_is_importable(wheel, tmp_path):
    wheel.extractall(tmp_path)
    code = (
        "import sys; from pp_mlekl.gallery import radon; from pp_mlekl.cli.gallery import entries;"
        "radon.build(radon.load_data()); print(radon.__file__, [e.name for e in entries()])"
    )
    command = [sys.executable, "-c", code]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    result = subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True, text=True)
    assert result.stdout.startswith(str(tmp_path / "pp_mlekl" / "gallery" / "radon.py"))
    assert "'radon:build_uranium'" in result.stdout


@pytest.mark.slow
@pytest.mark.parametrize("package", ["models", "pp_mlekl.gallery"])
def test_gallery_of_a_clone_is_importable_from_elsewhere(tmp_path, package):
    code = f"from {package} import eight_schools; eight_schools.load_data()"
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True)


def test_licence_is_apache(root, project):
    assert project["license"] == "Apache-2.0"
    text = (root / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License" in text
    assert "END OF TERMS AND CONDITIONS" in text


def test_citation_has_the_projects_version_and_licence(root, project):
    text = (root / "CITATION.cff").read_text(encoding="utf-8")
    assert f"version: {project['version']}" in text
    assert f"license: {project['license']}" in text


def test_tracked_files_name_no_machine_and_no_package_index(tracked):
    # Put together from pieces, or this file would find itself.
    words = [f"/{name}/" for name in ("root", "work", "home")]
    words += ["pypi" + ".org", "python" + "hosted", "index" + "-url", "find" + "-links"]
    pattern = re.compile("|".join(map(re.escape, words)))
    found = []
    for path in tracked:
        if path.suffix in (".png", ".nc", ".npz") or path.name == "LICENSE":
            continue
        text = path.read_text(encoding="utf-8")
        found += [f"{path.name}: {match.group()}" for match in pattern.finditer(text)]
    assert found == []


def test_readme_shows_the_sample(root):
    readme = (root / "README.md").read_text(encoding="utf-8")
    sample = (root / "reports" / "sample" / "logistic_spector.md").read_text(encoding="utf-8")
    rows = [line for line in readme.splitlines() if line.startswith("| ") and "±" in line]
    assert len(rows) == 5
    assert set(rows) <= set(sample.splitlines())
    for link in re.findall(r"\]\(([^)]+)\)", readme):
        assert (root / link).is_file()
