"""Names of runs and flows: `quiet-otter`, `ride-duration`, and names from a template."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ostinato.core.errors import BadOption

if TYPE_CHECKING:
    from collections.abc import Mapping

_ADJECTIVES = (
    "able agile airy alert amber ample apt autumn azure balanced bold brave breezy bright brisk bronze busy calm "
    "candid careful caring cedar cheerful chief classic clean clear clever cobalt coral cordial cosmic cozy crisp "
    "curious dapper daring dashing deep deft devoted dewy eager early earnest easy elegant emerald fair faithful "
    "fancy fast fearless fine fleet fluent fond frank free fresh friendly frosty gentle genuine gifted glad gleaming "
    "golden graceful grand grateful green happy hardy hearty helpful honest humble indigo ivory jade jolly jovial "
    "joyful keen kind lasting lively loyal lucid lucky lunar mellow merry mighty mild mindful misty modest neat "
    "nimble noble olive open patient peaceful pearly placid playful plucky polite prompt proud pure quick quiet "
    "radiant rapid ready robust rosy rustic scarlet serene sharp shiny silent silver sincere smart smooth snowy solar "
    "solid spirited spry stable steady stellar sturdy subtle sunny swift teal tender thankful tidy tranquil trusty "
    "upbeat velvet vivid warm willing wise witty zesty"
)

_ANIMALS = (
    "alpaca antelope auk badger barbet bat beaver bee beluga bison bittern bobcat bonobo bunting buzzard camel "
    "caracal caribou carp cat cheetah chickadee chinchilla chipmunk cicada civet cobra cockatoo condor coot cormorant "
    "crab crane cricket crow cuckoo curlew deer dingo dipper dolphin dormouse dove dragonfly duck dugong dunlin eagle "
    "echidna egret eider elephant elk emu ermine falcon ferret finch firefly flamingo fox frog gannet gazelle gecko "
    "gerbil gibbon giraffe gnu goldfinch goose goshawk grebe grouse guppy hamster hare harrier hawk hedgehog heron "
    "hoopoe hornbill horse hummingbird ibex ibis iguana impala jackal jackdaw jaguar jay kestrel kingfisher kite kiwi "
    "koala koi kudu lapwing lark lemur leopard lion lizard llama lobster loon lynx macaw magpie mallard manatee "
    "mantis marmot marten martin meerkat merlin mink mole mongoose moose moth narwhal newt nightingale nuthatch "
    "ocelot octopus okapi oriole osprey otter owl oyster panda panther parrot partridge pelican penguin pheasant "
    "pigeon pika plover pony porpoise puffin puma quail quokka rabbit raccoon raven redstart reindeer robin salmon "
    "sandpiper seal serval skylark sloth snipe sparrow squirrel starling stork swallow swan swift tapir tern thrush "
    "toucan trout turtle vole wagtail wallaby walrus waxwing weasel whale wolf wombat woodpecker wren yak zebra"
)

_FIRSTS = _ADJECTIVES.split()
_SECONDS = _ANIMALS.split()
_LONGEST = 200


def run_name(seed: bytes | None = None) -> str:
    """Give a friendly name such as `quiet-otter`; equal seeds give equal names.

    Names are for people: there are about 30,000, so two runs may share one.
    """
    number = int.from_bytes(os.urandom(8) if seed is None else seed, "big")
    rest, first = divmod(number, len(_FIRSTS))
    return f"{_FIRSTS[first]}-{_SECONDS[rest % len(_SECONDS)]}"


def flow_name(function_name: str) -> str:
    """Give the flow name of a function: `ride_duration` becomes `ride-duration`."""
    return function_name.strip("<>_").replace("_", "-") or function_name


def fill(template: str, values: Mapping[str, object]) -> str:
    """Give a run name from a template such as `train-{year}`: one line, at most 200 characters.

    Raises:
        BadOption: (option-invalid) the template names an unknown field, or is malformed.
    """
    try:
        name = template.format_map(values)
    except KeyError as error:
        raise _unfillable(template, values, f"there is no field {error}") from error
    except Exception as error:  # formatting calls the user's own code
        raise _unfillable(template, values, f"{type(error).__name__}: {error}") from error
    if not name.isprintable():
        name = " ".join("".join(char if char.isprintable() else " " for char in name).split())
    return name if len(name) <= _LONGEST else name[: _LONGEST - 1] + "…"


def _unfillable(template: str, values: Mapping[str, object], reason: str) -> BadOption:
    known = ", ".join(values) or "none"
    return BadOption(
        option="run name",
        value=template,
        where="this call",
        reason=f"{reason}; fields known: {known}",
        fix="Write only known fields in braces, and double a brace that is meant as text: `{{`.",
    )
