"""
HiFT: mel to samples with a harmonic source and an inverse STFT. Names are those of `hift.pt` after folding the weight norm.
Everything takes a leading batch axis or none; shapes are given without.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .config import VocoderConfig


class _Snake(torch.autograd.Function):
    """x + sin(a x)^2 / a with its derivatives in few passes: the nets spend a quarter of a training here."""

    @staticmethod
    def forward(x: Tensor, alpha: Tensor) -> Tensor:
        a = alpha[:, None]
        return x + torch.mul(x, a).sin_().square_().mul_(1.0 / (a + 1e-9))

    @staticmethod
    def setup_context(ctx, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
        ctx.save_for_backward(*inputs, output)

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor, Tensor]:
        x, alpha, y = ctx.saved_tensors
        slope = torch.mul(x, 2 * alpha[:, None]).sin_()
        by_alpha = (x * slope).sub_(y).add_(x).mul_(grad).sum(-1) / (alpha + 1e-9)
        return torch.addcmul(grad, grad, slope), by_alpha.reshape(-1, len(alpha)).sum(0)


class Snake(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.alpha = nn.Parameter(torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        return _Snake.apply(x, self.alpha)


class ResBlock(nn.Module):
    def __init__(self, channels: int, kernel: int, dilations: tuple[int, ...]):
        super().__init__()
        same = lambda d: nn.Conv1d(channels, channels, kernel, dilation=d, padding=d * (kernel - 1) // 2)
        self.convs1 = nn.ModuleList(same(d) for d in dilations)
        self.convs2 = nn.ModuleList(same(1) for _ in dilations)
        self.activations1 = nn.ModuleList(Snake(channels) for _ in dilations)
        self.activations2 = nn.ModuleList(Snake(channels) for _ in dilations)

    def forward(self, x: Tensor) -> Tensor:
        for conv1, conv2, snake1, snake2 in zip(self.convs1, self.convs2, self.activations1, self.activations2):
            x = x + conv2(snake2(conv1(snake1(x))))
        return x


class F0Predictor(nn.Module):
    def __init__(self, c: VocoderConfig):
        super().__init__()
        convs = [nn.Conv1d(c.mel_bins if i == 0 else c.f0_width, c.f0_width, 3, padding=1) for i in range(c.f0_layers)]
        self.condnet = nn.ModuleDict({str(2 * i): conv for i, conv in enumerate(convs)})
        self.classifier = nn.Linear(c.f0_width, 1)

    def forward(self, mel: Tensor) -> Tensor:
        """[80, M] -> f0 in Hz [M]"""
        x = mel
        for conv in self.condnet.values():
            x = F.elu(conv(x))
        return self.classifier(x.mT)[..., 0].abs()


class SourceModule(nn.Module):
    def __init__(self, c: VocoderConfig):
        super().__init__()
        self.config = c
        self.l_linear = nn.Linear(c.overtones + 1, 1)

    def sines(self, f0: Tensor) -> Tensor:
        """f0 [M] -> [N, 9]. The phase is summed per frame and interpolated; an initial phase would have no effect."""
        c = self.config
        harmonics = torch.arange(1, c.overtones + 2, device=f0.device).float()
        per_frame = (f0[..., None] * harmonics / c.sample_rate) % 1
        phase = torch.cumsum(per_frame, -2) * 2 * torch.pi
        rows = phase.mT.reshape(-1, c.overtones + 1, f0.shape[-1]) * c.samples_per_frame
        phase = F.interpolate(rows, scale_factor=c.samples_per_frame, mode="linear").mT
        return torch.sin(phase).reshape(*f0.shape[:-1], -1, c.overtones + 1) * c.sine_amp

    def forward(self, f0: Tensor, noise: Tensor | None, sines: Tensor | None = None) -> Tensor:
        """f0 [M], noise [N, 9] unit Gaussian or None for silence, `sines` [N, 9] in place of those of f0 -> [N]"""
        c = self.config
        voiced = (f0.repeat_interleave(c.samples_per_frame, -1) > c.voiced_threshold).float()[..., None]
        y = (self.sines(f0) if sines is None else sines) * voiced
        if noise is not None:
            y = y + (voiced * c.noise_std + (1 - voiced) * c.sine_amp / 3) * noise
        return torch.tanh(self.l_linear(y))[..., 0]


class Hift(nn.Module):
    def __init__(self, c: VocoderConfig):
        super().__init__()
        self.config = c
        bins = c.n_fft + 2
        self.m_source = SourceModule(c)
        self.conv_pre = nn.Conv1d(c.mel_bins, c.base, 7, padding=3)
        self.ups = nn.ModuleList()
        self.source_downs = nn.ModuleList()
        self.source_resblocks = nn.ModuleList()
        self.resblocks = nn.ModuleList()
        for i, (rate, kernel) in enumerate(zip(c.up_rates, c.up_kernels)):
            channels = c.stage_channels(i)
            self.ups.append(nn.ConvTranspose1d(c.base >> i, channels, kernel, rate, (kernel - rate) // 2))
            down = 1
            for later in c.up_rates[i + 1 :]:
                down *= later
            shape = (1, 1, 0) if down == 1 else (2 * down, down, down // 2)
            self.source_downs.append(nn.Conv1d(bins, channels, *shape))
            self.source_resblocks.append(ResBlock(channels, c.source_res_kernels[i], c.source_res_dilations[i]))
            self.resblocks.extend(ResBlock(channels, k, d) for k, d in zip(c.res_kernels, c.res_dilations))
        self.conv_post = nn.Conv1d(c.stage_channels(len(c.up_rates) - 1), bins, 7, padding=3)
        self.f0_predictor = F0Predictor(c)

    def weight_normed(self) -> list[str]:
        """Modules whose weight the checkpoint stores as direction and length."""
        convs = (name for name, m in self.named_modules() if isinstance(m, (nn.Conv1d, nn.ConvTranspose1d)))
        return [name for name in convs if not name.startswith("source_downs")]

    def window(self, device: torch.device) -> Tensor:
        return torch.hann_window(self.config.n_fft, periodic=True, device=device)

    def spectrum(self, source: Tensor) -> Tensor:
        """[N] -> real then imaginary parts [18, N / hop + 1]"""
        c = self.config
        s = torch.stft(source, c.n_fft, c.hop, c.n_fft, self.window(source.device), return_complex=True)
        return torch.cat([s.real, s.imag], -2)

    def inverse(self, magnitude: Tensor, phase: Tensor) -> Tensor:
        """[9, F] each -> [N]"""
        c = self.config
        magnitude = magnitude.clip(max=1e2)
        spectrum = torch.complex(magnitude * torch.cos(phase), magnitude * torch.sin(phase))
        return torch.istft(spectrum, c.n_fft, c.hop, c.n_fft, self.window(phase.device))

    def network(self, mel: Tensor, source: Tensor) -> Tensor:
        """mel [80, M], source [N] -> [18, N / hop + 1]"""
        c = self.config
        spectrum = self.spectrum(source)
        x = self.conv_pre(mel)
        kinds = len(c.res_kernels)
        for i, up in enumerate(self.ups):
            x = up(F.leaky_relu(x, c.leaky_slope))
            if i == len(self.ups) - 1:
                x = F.pad(x, (1, 0), mode="reflect")
            x = x + self.source_resblocks[i](self.source_downs[i](spectrum))
            x = sum(block(x) for block in self.resblocks[kinds * i : kinds * (i + 1)]) / kinds
        return self.conv_post(F.leaky_relu(x, 0.01))

    def decode(self, mel: Tensor, source: Tensor) -> Tensor:
        """mel [M, 80], source [N] -> samples [N], clamped"""
        y = self.network(mel.mT, source).float()
        bins = self.config.n_fft // 2 + 1
        samples = self.inverse(torch.exp(y[..., :bins, :]), torch.sin(y[..., bins:, :]))
        return samples.clamp(-self.config.audio_limit, self.config.audio_limit)

    def f0(self, mel: Tensor) -> Tensor:
        """mel [M, 80] -> [M]"""
        return self.f0_predictor(mel.mT)

    def forward(self, mel: Tensor, cache_source: Tensor, noise: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """mel [M, 80], cache_source [K] -> samples [N], source [N]"""
        source = replace_head(self.m_source(self.f0(mel), noise), cache_source)
        return self.decode(mel, source), source


def replace_head(source: Tensor, cache_source: Tensor) -> Tensor:
    """The first K samples come from the previous call."""
    return torch.cat([cache_source, source[len(cache_source) :]])
