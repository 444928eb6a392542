r"""The gradient of the ELBO: by autograd, and for Gaussian MLPs on a processor derived by hand.

:func:`gradient_of` chooses. Autograd is the way for any network on any device. The other saves its
bookkeeping and much of its memory traffic, which a network on a processor feels: about a fifth of
a gradient's time, by the first lines of ``python -m benchmarks.learning``.

For one sample an image the loss of a minibatch of B images is the mean of
:math:`D_{KL} - \log p(x \mid z)`. Written for the outputs of the two networks, with
:math:`r = x - \mu` and :math:`\sigma^2 = e^s`, its gradient is

.. math::
    \frac{\partial}{\partial s} = \frac{1}{2B} (1 - r^2 e^{-s}), \quad
    \frac{\partial}{\partial a} = -\frac1B \, r e^{-s} \mu (1 - \mu)

for the decoder's log-variance s and the logits a of its mean, and with
:math:`z = m + e^{v/2} \epsilon` and :math:`g = \partial / \partial z`

.. math::
    \frac{\partial}{\partial m} = g + \frac{m}{B}, \quad
    \frac{\partial}{\partial v} = \tfrac12 g \, \epsilon e^{v/2} + \frac{1}{2B} (e^v - 1)

for the encoder's mean m and log-variance v; where the KL divergence counts β-fold, so do m / B and
(e^v - 1) / 2B. Back-propagation through the linear and tanh layers
does the rest. The matrix products are the whole cost of a small network, so everything else is
done in place, in buffers that are made once.
"""

__all__ = ["AutogradGradient", "ElboGradient", "gradient_of"]

import math
from typing import ClassVar

import torch
from torch import Tensor

from vae.models.mlp import BLOCK
from vae.models.objective import OBJECTIVES
from vae.models.vae import VAE

LOG2_E = math.log2(math.e)

# What autograd calls as well: the gradient by the input from that by the output, in one pass.
sigmoid_backward = torch.ops.aten.sigmoid_backward.grad_input


def gradient_of(
    model: VAE,
    batch_size: int,
    share: int | None = None,
    objective: str = "elbo",
    samples: int = 1,
) -> "AutogradGradient | ElboGradient":
    """What computes this objective's gradient, of so many samples an image, fastest here.

    The other arguments are as below.
    """
    if objective != "elbo" or samples > 1 or not model.likelihood.is_gaussian:
        return AutogradGradient(model, batch_size, share, objective)
    networks = model.encoder, model.decoder
    on_processor = next(model.parameters()).device.type == "cpu"
    by_hand = on_processor and all(network.backpropagation(1) for network in networks)
    return (ElboGradient if by_hand else AutogradGradient)(model, batch_size, share)


class AutogradGradient:
    """Fills ``.grad`` of a model's parameters, whatever the objective and the network.

    Arguments:
        model: The model; every parameter has a ``.grad`` of its own shape, which is overwritten.
        batch_size: The number B of images in a minibatch.
        share: How many of them this process sees, where several share a minibatch: their
            gradients, and what is returned, add up to the minibatch's. All by default.
        objective: Its name in :data:`vae.models.objective.OBJECTIVES`.

    Attributes:
        beta: What the KL divergence counts, 1 at first; other values are for the ELBO alone.
        is_same_on_any_threads: Whether it is, to the last bit, on however many threads.
    """

    is_same_on_any_threads: ClassVar[bool] = False

    def __init__(
        self, model: VAE, batch_size: int, share: int | None = None, objective: str = "elbo"
    ):
        self.model = model
        self.objective = OBJECTIVES[objective]
        self.beta = 1.0
        self.batch_size = batch_size
        gradients = [weight.grad for weight in model.parameters()]
        self.gradients = [gradient for gradient in gradients if gradient is not None]

    def __call__(self, x: Tensor, noise: Tensor, encoder_input: Tensor) -> Tensor:
        """One forward and backward pass.

        Arguments:
            x: Flattened images, (B, D).
            noise: The standard normal noise of the reparametrisation, (B, K) or (L, B, K).
            encoder_input: What the encoder sees of x, (B, D): x less the mean image, perhaps
                with noise.

        Returns:
            The minibatch's mean log-likelihood and mean KL divergence in nats, of shape (2,).
        """
        # What torch.optim zeroes gradients with, all at once; it has no public name.
        torch._foreach_zero_(self.gradients)  # pyright: ignore[reportPrivateImportUsage]
        terms, maximised = self.objective(self.model, x, noise, encoder_input)
        if self.beta != 1:
            maximised = maximised - (self.beta - 1) * terms.kl
        (-maximised.sum() / self.batch_size).backward()
        sums = torch.stack((terms.log_likelihood.sum(), terms.kl.sum()))
        return sums.detach() / self.batch_size


class ElboGradient:
    """The same, derived by hand, for networks that offer passes of their own.

    Arguments and attributes as for :class:`AutogradGradient`; the model's latents are those of its
    networks, as they are in training.
    """

    is_same_on_any_threads: ClassVar[bool] = True

    def __init__(self, model: VAE, batch_size: int, share: int | None = None):
        share = batch_size if share is None else share
        # A step is short enough for Python to matter: views and constants are made here, once.
        encoder, decoder = (
            network.backpropagation(share) for network in (model.encoder, model.decoder)
        )
        if encoder is None or decoder is None:
            raise TypeError("The gradient by hand is that of networks which offer their passes.")
        self.encoder, self.decoder = encoder, decoder
        self.m, self.v = self.encoder.output.chunk(2, dim=1)
        self.mean, self.log_var = self.decoder.output.chunk(2, dim=1)
        new = self.mean.new_empty
        self.residual, self.precision = new(2, share, model.pixels)
        self.by_log_var = decoder.by_output[model.pixels :]
        self.beta = 1.0
        self.half = 0.5 / batch_size
        self.halves = self.mean.new_tensor(self.half)
        self.minus_halves = -self.halves
        # For powers of 2: those of e PyTorch leaves to a library that is slow on AMD's processors.
        self.log_share = self.mean.new_tensor(-math.log2(batch_size))
        self.precision_blocks = self.precision.view(-1).split(BLOCK)
        constant = -0.5 * (1 + math.log(2 * math.pi)) * model.pixels
        self.constant = constant * share / batch_size

    def __call__(self, x: Tensor, noise: Tensor, encoder_input: Tensor) -> Tensor:
        """As :meth:`AutogradGradient.__call__`."""
        m, v, mean, log_var, half = self.m, self.v, self.mean, self.log_var, self.half
        self.encoder.forward(encoder_input)
        std = torch.mul(v, 0.5).exp_()
        scaled_noise = std * noise
        # (e^v - 1) / 2B, the KL divergence's gradient by v, is most of the divergence as well.
        by_v = torch.addcmul(self.minus_halves, std, std, value=half)
        kl = torch.addcmul(by_v, m, m, value=half).sub_(v, alpha=half).sum()
        if self.beta != 1:
            by_v.mul_(self.beta)
        z = m + scaled_noise

        self.decoder.forward(z)
        # Image by image: the sum of all at once depends on how many threads share it.
        log_determinant = log_var.sum(dim=1).sum()
        # -r and -r e^-s / B.
        residual = torch.sub(mean.sigmoid_(), x, out=self.residual)
        torch.sub(self.log_share, log_var, alpha=LOG2_E, out=self.precision)
        for block in self.precision_blocks:
            block.exp2_()
        weighted = self.precision.mul_(residual)
        # From here on the networks' outputs hold the loss's gradient; in the mean's place, that
        # by its logits.
        torch.addcmul(self.halves, weighted, residual, value=-0.5, out=log_var)
        sigmoid_backward(weighted, mean, grad_input=mean)
        g = self.decoder.backward(z)
        torch.add(g, m, alpha=2 * half * self.beta, out=m)
        torch.addcmul(by_v, g, scaled_noise, value=0.5, out=v)
        self.encoder.backward_to_parameters(encoder_input)

        # The gradient by the log-variance, (1 - r^2 e^-s) / 2B, was summed for the bias: what it
        # lacks of D/2 is the sum of squares.
        log_likelihood = self.by_log_var.sum().sub_(log_determinant, alpha=half)
        return torch.stack((log_likelihood.add_(self.constant), kl))
