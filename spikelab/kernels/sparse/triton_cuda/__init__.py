"""Products with spikes on CUDA devices; ``numba_cpu`` has the same functions."""

from spikelab.kernels.sparse.triton_cuda.costs import DENSE_LEARNING as DENSE_LEARNING
from spikelab.kernels.sparse.triton_cuda.costs import SAMPLED as SAMPLED
from spikelab.kernels.sparse.triton_cuda.costs import SUPPORT_FOUND as SUPPORT_FOUND
from spikelab.kernels.sparse.triton_cuda.costs import convolution_cost as convolution_cost
from spikelab.kernels.sparse.triton_cuda.costs import convolution_input_cost as convolution_input_cost
from spikelab.kernels.sparse.triton_cuda.costs import linear_cost as linear_cost
from spikelab.kernels.sparse.triton_cuda.costs import linear_input_cost as linear_input_cost
from spikelab.kernels.sparse.triton_cuda.products import convolution_input_gradient as convolution_input_gradient
from spikelab.kernels.sparse.triton_cuda.products import convolution_weight_gradient as convolution_weight_gradient
from spikelab.kernels.sparse.triton_cuda.products import linear_input_gradient as linear_input_gradient
from spikelab.kernels.sparse.triton_cuda.products import spike_convolution as spike_convolution
from spikelab.kernels.sparse.triton_cuda.products import spike_product as spike_product
from spikelab.kernels.sparse.triton_cuda.products import weight_gradient as weight_gradient
from spikelab.kernels.sparse.triton_cuda.spikes import can_list as can_list
from spikelab.kernels.sparse.triton_cuda.spikes import list_spikes as list_spikes
