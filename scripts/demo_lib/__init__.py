"""The parts of scripts/demo. A part is an object with any of these methods, called in this order:
add_arguments(parser), prepare(world) before anything runs, start(world) after the UEs started, check(world) while they run,
finish(world) after they ended, tell(world) at the very end. It states what it found with world.claim(text, held, evidence); what a person
reads meanwhile goes through world.telling: heading(text), phase(what takes long now), tick() while it waits."""
