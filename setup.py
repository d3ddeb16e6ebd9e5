"""Package metadata, read from settings.ini so that it stands in one place."""

from configparser import ConfigParser
from pathlib import Path

from setuptools import find_packages, setup

here = Path(__file__).parent
parser = ConfigParser(delimiters=["="])
parser.read(here / "settings.ini", encoding="utf-8")
cfg = parser["DEFAULT"]
minor_versions = range(int(cfg["min_python"].split(".")[1]), int(cfg["max_python"].split(".")[1]) + 1)

setup(
    name=cfg["lib_name"],
    version=cfg["version"],
    description=cfg["description"],
    long_description=(here / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    author=cfg["author"],
    author_email=cfg["author_email"],
    license="Apache-2.0",
    keywords=cfg["keywords"].split(),
    url=cfg["git_url"],
    packages=find_packages(include=["lesson13", "lesson13.*"]),
    package_data={"lesson13": ["static/*"]},
    # The course itself travels with the package, so that `lesson13-learn` works without a checkout.
    data_files=[
        (f"share/lesson13/{folder}", sorted(str(p.relative_to(here)) for p in (here / folder).glob(names)))
        for folder in (
            "nbs",
            *(str(p.relative_to(here)) for p in sorted((here / "nbs").iterdir()) if p.is_dir()),
        )
        for names in ("*.ipynb", "*.png")
        if not Path(folder).name.startswith((".", "_"))
    ],
    python_requires=f">={cfg['min_python']}",
    install_requires=cfg["requirements"].split(),
    extras_require={
        "dev": cfg["dev_requirements"].split(),
        "notebooks": cfg["notebook_requirements"].split(),
    },
    entry_points={
        "console_scripts": cfg["console_scripts"].split(),
        "nbdev": [f"{cfg['lib_name']}={cfg['lib_name']}._modidx:d"],
    },
    classifiers=[
        "Intended Audience :: Education",
        "License :: OSI Approved :: Apache Software License",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
        *(f"Programming Language :: Python :: 3.{minor}" for minor in minor_versions),
    ],
    zip_safe=False,
)
