"""TrainConfig: what a recipe file holds."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from zeuxis.config.sections import Name, Precision, Values


class TrainConfig(BaseModel):
    """What a recipe file holds. Lengths are counted in images, never in steps."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    task: Name = Field(description="see zeuxis.lab.tasks: adversarial, classifier, contrastive, distil")
    data: Name = Field("cifar10", description="reader: cifar10, products, folder, ... (zeuxis.data)")
    about: Name = ""
    seed: int = Field(0, ge=0, lt=2**63)
    images: int = Field(gt=0, le=10**13, description="images shown in total")
    batch: int = Field(64, ge=1, le=65_536)
    precision: Precision = "auto"
    ema: float = Field(0.999, ge=0, lt=1, description="decay of the weight average per step; 0 switches it off")
    ema_half_life: int | None = Field(None, gt=0, le=10**13, description="of the average, in images, in place of ema")
    ema_ramp: float = Field(
        0.05, gt=0, le=1e9, description="the half-life is at most so much of the images shown so far"
    )
    checkpoint_every: int = Field(50_000, gt=0, le=10**13, description="images between checkpoints")
    report_every: int = Field(10_000, gt=0, le=10**13, description="images between lines of the log")
    stop_on_collapse: int = Field(
        0, ge=0, le=10**6, description="evaluations in a row with signs of collapse that end the training; 0 for never"
    )
    options: Values = Field(default_factory=dict, description="options of the task, by name")
