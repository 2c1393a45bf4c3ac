"""The parts of scripts/demo. A part is an object with any of these methods, called in this order:
add_arguments(parser), prepare(world) before anything runs, start(world) after the UEs started, check(world) while they run,
finish(world) after they ended. It states what it found with world.claim(text, held, evidence)."""
