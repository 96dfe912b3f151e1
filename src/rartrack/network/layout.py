"""Weights of a convolution as oneDNN wants them, which depends on the number of threads."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class LaidOut(nn.Module):
    """A module with one weight that is laid out, and again where the number of threads has changed."""

    def _keep(self, weight: Tensor) -> None:
        self._threads = torch.get_num_threads()
        self._laid = self._lay_out(weight)

    def _lay_out(self, weight: Tensor) -> Tensor:
        raise NotImplementedError

    def _plain(self) -> Tensor:
        """The weight as it was before."""
        raise NotImplementedError

    @property
    def _weight(self) -> Tensor:
        if self._threads != torch.get_num_threads():
            self._keep(self._plain())
        return self._laid

    def __getstate__(self) -> dict[str, Any]:
        """For copies and pickles, which cannot hold a weight that is laid out: the weight as it was."""
        return self.__dict__ | {"_laid": self._plain()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)  # type: ignore[no-untyped-call]
        self._keep(self._laid)
