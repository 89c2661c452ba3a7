"""The digits network in a loop as PyTorch's tutorials write it: DataLoader, step, validation, torch.save."""

from __future__ import annotations

import rows

folder, epochs, parameters = rows.arguments("pytorch")

import torch  # noqa: E402
from model import DigitsNetwork, load_digits  # noqa: E402
from torch.nn.functional import cross_entropy  # noqa: E402
from torch.utils.data import DataLoader  # noqa: E402

torch.manual_seed(0)
torch.use_deterministic_algorithms(True, warn_only=True)
train_set, val_set = load_digits(parameters.validation_fraction, parameters.shift, 0)
train_loader = DataLoader(train_set, parameters.batch_size, shuffle=True)
val_loader = DataLoader(val_set, 256)
model = DigitsNetwork(parameters.channels, parameters.dropout)
optimizer = torch.optim.AdamW(model.parameters(), lr=parameters.learning_rate, weight_decay=parameters.weight_decay)
schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)

for epoch in range(epochs):
    model.train()
    total = 0.0
    for images, digits in train_loader:
        optimizer.zero_grad(set_to_none=True)
        loss = cross_entropy(model(images), digits)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), parameters.clip_norm)
        optimizer.step()
        total += loss.item() * len(digits)
    model.eval()
    val_loss = right = 0.0
    with torch.no_grad():
        for images, digits in val_loader:
            logits = model(images)
            val_loss += cross_entropy(logits, digits).item() * len(digits)
            right += (logits.argmax(dim=1) == digits).float().sum().item()
    schedule.step()
    rows.epoch_ended(folder, {"train_loss": total / len(train_set), "val_accuracy": right / len(val_set)})
    state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "schedule": schedule.state_dict()}
    torch.save(state, folder / f"epoch-{epoch}.pt")
