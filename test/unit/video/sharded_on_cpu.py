"""hoigen.video.train under FSDP 2 on CPUs, as accelerate has it on GPUs only: its state is told otherwise."""

import sys

from accelerate.state import AcceleratorState, PartialState
from accelerate.utils import DistributedType

from hoigen.video.train import main

if __name__ == '__main__':
    init = AcceleratorState.__init__

    def with_fsdp(self, *arguments, fsdp_plugin=None, **named):
        init(self, *arguments, fsdp_plugin=fsdp_plugin, **named)
        if fsdp_plugin is not None:
            self.fsdp_plugin = fsdp_plugin
            self.distributed_type = PartialState._shared_state['distributed_type'] = DistributedType.FSDP

    AcceleratorState.__init__ = with_fsdp
    sys.exit(main())
