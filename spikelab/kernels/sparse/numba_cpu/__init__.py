"""Products with spikes on the CPU; ``triton_cuda`` has the same functions for CUDA devices."""

from spikelab.kernels.sparse.numba_cpu.convolution import convolution_weight_gradient as convolution_weight_gradient
from spikelab.kernels.sparse.numba_cpu.convolution import spike_convolution as spike_convolution
from spikelab.kernels.sparse.numba_cpu.costs import DENSE_LEARNING as DENSE_LEARNING
from spikelab.kernels.sparse.numba_cpu.costs import SAMPLED as SAMPLED
from spikelab.kernels.sparse.numba_cpu.costs import SUPPORT_FOUND as SUPPORT_FOUND
from spikelab.kernels.sparse.numba_cpu.costs import convolution_cost as convolution_cost
from spikelab.kernels.sparse.numba_cpu.costs import convolution_input_cost as convolution_input_cost
from spikelab.kernels.sparse.numba_cpu.costs import linear_cost as linear_cost
from spikelab.kernels.sparse.numba_cpu.costs import linear_input_cost as linear_input_cost
from spikelab.kernels.sparse.numba_cpu.input_gradient import convolution_input_gradient as convolution_input_gradient
from spikelab.kernels.sparse.numba_cpu.input_gradient import linear_input_gradient as linear_input_gradient
from spikelab.kernels.sparse.numba_cpu.linear import spike_product as spike_product
from spikelab.kernels.sparse.numba_cpu.linear import weight_gradient as weight_gradient
from spikelab.kernels.sparse.numba_cpu.spike_list import can_list as can_list
from spikelab.kernels.sparse.numba_cpu.spike_list import list_spikes as list_spikes
