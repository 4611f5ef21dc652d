"""Schemas as lessons use them: nested, enums, arrays, formats, unions, recursion, sets."""

from __future__ import annotations

import dataclasses
import enum
from typing import Literal, TypedDict

import pydantic


class Mood(enum.Enum):
    """A choice."""

    GLAD = "glad"
    SAD = "sad"
    CALM = "calm"


@dataclasses.dataclass
class City:
    """A dataclass with an optional field."""

    name: str
    country: str
    population: int
    is_capital: bool = False


class Author(pydantic.BaseModel):
    """A model inside a model."""

    name: str = pydantic.Field(max_length=40)
    born: int = pydantic.Field(ge=1500, le=2010)


class Book(pydantic.BaseModel):
    """A nested model with bounds and a list."""

    title: str
    authors: list[Author] = pydantic.Field(min_length=1, max_length=3)
    rating: float = pydantic.Field(ge=0, le=5)
    genre: Literal["novel", "poetry", "history"]
    subtitle: str | None = None


class Tags(pydantic.BaseModel):
    """Sets, of few choices and of any number."""

    tags: set[Literal["a", "b", "c"]]
    codes: set[int]


class Word(TypedDict):
    """A dictionary of known keys."""

    word: str
    language: str


EVENT = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 3, "maxLength": 40},
        "day": {"type": "string", "format": "date"},
        "starts": {"type": "string", "format": "date-time"},
        "contact": {"type": "string", "format": "email"},
        "id": {"type": "string", "format": "uuid"},
    },
    "required": ["name", "day", "starts", "contact", "id"],
    "additionalProperties": False,
}
QUIZ = {
    "type": "object",
    "properties": {
        "questions": {
            "type": "array",
            "minItems": 2,
            "maxItems": 3,
            "items": {
                "type": "object",
                "properties": {
                    "text": {"type": "string", "maxLength": 80},
                    "choices": {
                        "type": "array",
                        "items": {"type": "string", "maxLength": 30},
                        "minItems": 3,
                        "maxItems": 3,
                    },
                    "correct": {"enum": [0, 1, 2]},
                },
                "required": ["text", "choices", "correct"],
            },
        }
    },
    "required": ["questions"],
}
TREE = {
    "$defs": {
        "node": {
            "type": "object",
            "properties": {
                "name": {"type": "string", "maxLength": 20},
                "children": {"type": "array", "items": {"$ref": "#/$defs/node"}, "maxItems": 2},
            },
            "required": ["name", "children"],
        }
    },
    "$ref": "#/$defs/node",
}
PLATE = {
    "type": "object",
    "properties": {
        "plate": {"type": "string", "pattern": "^[A-Z]{2}-\\d{4}$"},
        "colour": {"enum": ["red", "grün", "naïve blue"]},
        "wheels": {"const": 4},
        "weight_kg": {
            "anyOf": [{"type": "integer", "minimum": 0, "maximum": 90}, {"type": "null"}]
        },
    },
    "required": ["plate", "colour", "wheels", "weight_kg"],
}

#: name -> (schema or what describes one, a question)
SCHEMAS: dict[str, tuple[object, str]] = {
    "dataclass": (City, "Describe the city of Paris."),
    "nested model": (Book, "Describe a famous book."),
    "sets": (Tags, "Give tags."),
    "typed dict": (Word, "Translate the word water into French."),
    "list of numbers": (list[int], "The first prime numbers."),
    "dict of lists": (dict[str, list[str]], "Name fruit and animals."),
    "formats": (EVENT, "Invent an event in a library."),
    "nested arrays": (QUIZ, "A quiz about the planets."),
    "recursive": (TREE, "The parts of a tree."),
    "patterns": (PLATE, "Describe a car."),
    "choice": (
        {
            "type": "object",
            "properties": {"mood": {"enum": [m.value for m in Mood]}, "why": {"type": "string"}},
            "required": ["mood", "why"],
        },
        "How is a rainy day?",
    ),
}
