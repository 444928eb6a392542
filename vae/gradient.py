r"""The gradient of the ELBO, derived by hand: a training step without autograd's bookkeeping.

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

for the encoder's mean m and log-variance v. Back-propagation through the linear and tanh layers
does the rest. The matrix products are the whole cost of a small network, so everything else is
done in place, in buffers that are made once.
"""

__all__ = ["ElboGradient"]

import math

import torch
from torch import Tensor

from vae.model import VAE, GaussianMLP


class ElboGradient:
    """Fills ``.grad`` of a model's parameters for minibatches of one size.

    Arguments:
        model: The model; every parameter has a ``.grad`` of its own shape, which is overwritten.
        batch_size: The number B of images in a minibatch.
    """

    def __init__(self, model: VAE, batch_size: int):
        self.model = model
        self.batch_size = batch_size
        self.encoder = _Backpropagation(model.encoder, batch_size)
        self.decoder = _Backpropagation(model.decoder, batch_size)
        self.residual, self.precision = model.decoder.head.weight.new_empty(
            2, batch_size, model.pixels
        )

    @torch.no_grad()
    def __call__(self, x: Tensor, noise: Tensor, encoder_input: Tensor) -> Tensor:
        """One forward and backward pass.

        Arguments:
            x: Flattened images, (B, D).
            noise: The standard normal noise of the reparametrisation, (B, K).
            encoder_input: What the encoder sees of x, (B, D): x itself, or x centred and
                with noise.

        Returns:
            The minibatch's mean log-likelihood and mean KL divergence in nats, of shape (2,).
        """
        size = self.batch_size
        latent = self.encoder.forward(encoder_input)
        m, v = latent.chunk(2, dim=1)
        scaled_noise = torch.exp(0.5 * v).mul_(noise)
        variance = v.exp()
        kl = (m.square() + variance - v - 1).sum().mul_(0.5 / size)
        z = m + scaled_noise

        output = self.decoder.forward(z)
        mean, log_var = output.chunk(2, dim=1)
        constant = -0.5 * math.log(2 * math.pi) * self.model.pixels
        log_determinant = log_var.sum()
        mean.sigmoid_()
        residual = torch.sub(x, mean, out=self.residual)
        precision = torch.exp(log_var.neg_(), out=self.precision)
        weighted = precision.mul_(residual)
        squares = torch.mul(weighted, residual, out=log_var)
        log_likelihood = constant - (log_determinant + squares.sum()).mul_(0.5 / size)

        # From here on the decoder's output holds the loss's gradient: by its log-variance, which
        # is (1 - squares) / 2B, and by the logits of its mean.
        squares.sub_(1).mul_(-0.5 / size)
        slope = torch.addcmul(mean, mean, mean, value=-1, out=mean)
        slope.mul_(weighted).mul_(-1 / size)

        g = self.decoder.backward(output, z)
        m.div_(size).add_(g)
        v.copy_(variance.sub_(1).div_(size).addcmul_(g, scaled_noise).mul_(0.5))
        self.encoder.backward(latent, encoder_input, to_input=False)
        return torch.stack((log_likelihood, kl))


class _Backpropagation:
    """The passes through one network, up to its head's output."""

    def __init__(self, network: GaussianMLP, batch_size: int):
        self.layers = [*network.hidden, network.head]
        new = network.head.weight.new_empty
        self.outputs = [new(batch_size, layer.out_features) for layer in self.layers]
        self.gradients = [new(batch_size, layer.in_features) for layer in self.layers]

    def forward(self, x: Tensor) -> Tensor:
        for layer, output in zip(self.layers, self.outputs, strict=True):
            x = torch.addmm(layer.bias, x, layer.weight.t(), out=output)
            if layer is not self.layers[-1]:
                x.tanh_()
        return x

    def backward(self, gradient: Tensor, x: Tensor, to_input: bool = True) -> Tensor | None:
        """Fill the weights' gradients from that of the output; return that of the input."""
        for place in reversed(range(len(self.layers))):
            layer = self.layers[place]
            below = self.outputs[place - 1] if place else x
            torch.mm(gradient.t(), below, out=layer.weight.grad)
            torch.sum(gradient, dim=0, out=layer.bias.grad)
            if place == 0 and not to_input:
                return None
            gradient = torch.mm(gradient, layer.weight, out=self.gradients[place])
            if place:
                gradient.addcmul_(gradient * below, below, value=-1)
        return gradient
