"""``pip install .``: the ROS-free core and the ``hoigen`` command. For ROS, colcon builds with CMakeLists.txt."""

from pathlib import Path

from setuptools import find_packages, setup

SHARED = ('action', 'config', 'msg')
"""Folders of the repository that hoigen reads: installed in the package, where hoigen.resources looks for them."""

setup(
    name='hoigen',
    version='0.1.0',
    description='Label-true hand-object video from live simulators, for training robot policies.',
    license='Apache-2.0',
    license_files=['LICENSE'],
    python_requires='>=3.11,<3.13',
    packages=[*find_packages(include=['hoigen', 'hoigen.*']), *(f'hoigen.share.{folder}' for folder in SHARED)],
    package_dir={f'hoigen.share.{folder}': folder for folder in SHARED},
    package_data={'hoigen': ['**/*'], **{f'hoigen.share.{folder}': ['**/*'] for folder in SHARED}},
    exclude_package_data={'': ['__pycache__/*', '**/__pycache__/*']},
    install_requires=[
        line
        for line in Path(__file__).with_name('requirements.txt').read_text().splitlines()
        if line and not line.startswith('#')
    ],
    entry_points={'console_scripts': ['hoigen = hoigen.cli:main']},
)
