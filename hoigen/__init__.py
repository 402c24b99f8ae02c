"""hoigen: label-true hand-object video from live simulators, for training robot policies."""

import os
import pkgutil

__path__ = pkgutil.extend_path(__path__, __name__)

# OpenMP reads it when torch is loaded. Threads that spin while they wait for each other stall on shared cores.
os.environ.setdefault('OMP_WAIT_POLICY', 'PASSIVE')
