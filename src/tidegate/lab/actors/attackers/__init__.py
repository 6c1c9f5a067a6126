"""Attackers: families of campaigns with an intensity and a mimicry, in variants to build against and to judge by."""

from tidegate.lab.actors.attackers.campaign import Campaign
from tidegate.lab.actors.attackers.cast import attack_accounts, attack_cast
from tidegate.lab.actors.attackers.variants import FAMILIES_VERSION, VARIANTS, is_held_out

__all__ = ["FAMILIES_VERSION", "VARIANTS", "Campaign", "attack_accounts", "attack_cast", "is_held_out"]
