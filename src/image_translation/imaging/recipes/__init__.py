"""Recipes: functions that derive the other image of a pair from one photo."""

from image_translation.imaging.recipes.recipe import Derivation, Recipe
from image_translation.imaging.recipes.registry import RECIPES

__all__ = ["RECIPES", "Derivation", "Recipe"]
