"""load_data gives the embedded digits as scikit-learn has them; show_images draws what fits into squares."""

import pytest
import torch
from sklearn.datasets import load_digits

from lesson13 import data


def test_the_embedded_digits():
    found, raw = data.load_data(), load_digits()
    assert found.x_train.shape == (1437, 64) and found.x_valid.shape == (360, 64) and found.x_test is None
    assert found.x_train.dtype == torch.float32 and found.y_train.dtype == torch.int64
    assert (found.x_train.min(), found.x_train.max()) == (0, 1)
    assert found.image_shape == (8, 8) and found.n_classes == 10
    assert torch.equal(found.x_valid, data.load_data("digits").x_valid)
    shares = found.y_valid.bincount() / torch.tensor(raw.target).bincount()
    assert shares.min() > 0.19 and shares.max() < 0.21
    both = torch.cat([found.x_train, found.x_valid]).mul(16).sum().item()
    assert both == raw.data.sum() and len(repr(found)) < 300


@pytest.mark.parametrize("source", ["MNIST", "", None, 3])
def test_an_unknown_source(source):
    with pytest.raises(ValueError, match="'digits' or 'mnist'"):
        data.load_data(source)


def test_show_images():
    assert len(data.show_images(torch.zeros(12, 64), titles=range(12)).axes) == 20
    assert len(data.show_images(torch.zeros(1, 5, 7, requires_grad=True)).axes) == 1
    for wrong in (torch.zeros(3, 10), torch.zeros(8, 18)):  # 18 pixels are no square, 8 · 18 fill nine
        with pytest.raises(ValueError, match="reshape"):
            data.show_images(wrong)
    with pytest.raises(ValueError):
        data.show_images(torch.zeros(3, 64), titles=[1, 2])
