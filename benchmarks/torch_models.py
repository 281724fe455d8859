"""The workloads in plain PyTorch, as PyTorch users write them: eager, channels last."""

import torch
from torch import nn


class _Last(nn.Module):
    """The last step of a recurrent layer's output."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x):
        return self.layer(x)[0][:, -1]


class _ChannelDense(nn.Module):
    """A dense layer over the channels of images."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.layer = nn.Conv2d(inputs, outputs, 1)

    def forward(self, x):
        return self.layer(x)


def _vgg():
    found, before = [], 3
    for filters in (32, 64, 128):
        for _ in range(2):
            found += [
                nn.Conv2d(before, filters, 3, padding=1, bias=False),
                nn.BatchNorm2d(filters),
                nn.ReLU(),
            ]
            before = filters
        found.append(nn.MaxPool2d(2))
    return nn.Sequential(*found, nn.Flatten(), nn.Linear(128 * 16, 10))


def _separable():
    return nn.Sequential(
        nn.Conv2d(3, 32, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(32, 32, 3, padding=1, groups=32),
        nn.ReLU(),
        nn.Conv2d(32, 64, 1),
        nn.ReLU(),
        nn.Conv2d(64, 64, 3, padding=1, groups=64, bias=False),
        nn.Conv2d(64, 128, 1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(128, 10),
    )


MODELS = {
    "mlp": lambda: nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10)),
    "wide-mlp": lambda: nn.Sequential(
        nn.Linear(784, 1024),
        nn.ReLU(),
        nn.Linear(1024, 1024),
        nn.ReLU(),
        nn.Linear(1024, 1024),
        nn.ReLU(),
        nn.Linear(1024, 10),
    ),
    "cnn": lambda: nn.Sequential(
        nn.Conv2d(1, 32, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.5),
        nn.Linear(1600, 10),
    ),
    "lenet": lambda: nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2),
        nn.Tanh(),
        nn.AvgPool2d(2),
        nn.Conv2d(6, 16, 5),
        nn.Tanh(),
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Linear(400, 120),
        nn.Tanh(),
        nn.Linear(120, 84),
        nn.Tanh(),
        nn.Linear(84, 10),
    ),
    "3-5-7": lambda: nn.Sequential(
        _ChannelDense(3, 16),
        nn.Conv2d(16, 32, 3),
        nn.ReLU(),
        nn.Conv2d(32, 64, 5),
        nn.ReLU(),
        nn.Conv2d(64, 128, 7),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(8192, 2),
    ),
    "vgg": _vgg,
    "conv1d": lambda: nn.Sequential(
        nn.Conv1d(9, 64, 5),
        nn.ReLU(),
        nn.MaxPool1d(2),
        nn.Conv1d(64, 128, 5),
        nn.ReLU(),
        nn.AdaptiveAvgPool1d(1),
        nn.Flatten(),
        nn.Linear(128, 6),
    ),
    "conv3d": lambda: nn.Sequential(
        nn.Conv3d(1, 16, 3),
        nn.ReLU(),
        nn.MaxPool3d(2),
        nn.Conv3d(16, 32, 3),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(4000, 4),
    ),
    "separable": _separable,
    "lstm": lambda: nn.Sequential(
        _Last(nn.LSTM(16, 64, batch_first=True)), nn.Linear(64, 5)
    ),
    "gru": lambda: nn.Sequential(
        _Last(nn.GRU(16, 64, batch_first=True)), nn.Linear(64, 5)
    ),
}


class TorchModel:
    """A plain PyTorch model behind the few methods that the worker calls."""

    def __init__(self, name):
        self.net = MODELS[name]()
        self.images = False
        first = next(self.net.parameters())
        if first.ndim == 4:
            self.net = self.net.to(memory_format=torch.channels_last)
        self.optimizer = torch.optim.Adam(self.net.parameters(), 1e-3, eps=1e-7)
        self.loss = nn.CrossEntropyLoss()

    def _inputs(self, x):
        x = torch.from_numpy(x)
        if x.ndim == 3 and not isinstance(self.net[0], _Last):
            x = x.movedim(-1, 1).contiguous()
        elif x.ndim > 3:
            x = x.movedim(-1, 1)  # as it lies in memory: channels last
        return x

    def train_on_batch(self, x, y):
        """A step, with the loss and the number of hits read, as Keras does."""
        self.net.train()
        x, y = self._inputs(x), torch.from_numpy(y)
        self.optimizer.zero_grad()
        logits = self.net(x)
        loss = self.loss(logits, y)
        loss.backward()
        self.optimizer.step()
        return loss.item(), (logits.argmax(1) == y).sum().item()

    def fit(self, x, y, batch_size, epochs=1, verbose=0):
        """Shuffled epochs, with loss and accuracy added up."""
        for _ in range(epochs):
            order = torch.randperm(len(x)).numpy()
            for start in range(0, len(x), batch_size):
                part = order[start : start + batch_size]
                self.train_on_batch(x[part], y[part])

    def predict_on_batch(self, x):
        """Probabilities."""
        self.net.eval()
        with torch.inference_mode():
            return torch.softmax(self.net(self._inputs(x)), -1).numpy()

    def predict(self, x, verbose=0):
        """As `predict_on_batch`; PyTorch has nothing else to do."""
        return self.predict_on_batch(x)
