"""hoigen: label-true hand-object video from live simulators, for training robot policies."""

import pkgutil

__path__ = pkgutil.extend_path(__path__, __name__)
