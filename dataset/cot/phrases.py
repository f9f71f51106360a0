"""`dataset.cot.templates` chooses its words here: clauses without capital and full stop.

No clause may read as a claim about something else: "turn" only of a turn, "forward" and "backward" only of
travel, "left" and "right" of a hand only of one that is up.
"""

WITHIN = ("within {}, ", "in the {} of the clip, ", "over {}, ", "this takes {}: ")
LASTS = (
    "the whole clip lasts {}",
    "all of it takes {}",
    "the motion is over after {}",
    "that fills {}",
    "from beginning to end it takes {}",
)

BODY = ("the body", "the person", "the pelvis")
STILL = (
    "{body} stays where it is",
    "nothing travels here, {body} keeps to the same place on the floor",
    "{body} keeps to one spot",
    "there is no travel, {body} remains over the same spot",
    "{body} does not leave its place",
    "no travel is needed, all of it happens on one spot",
    "the action needs no travel, {body} remains where it began",
    "{body} remains in one place from beginning to end",
)
SWAYING = (
    "{body} shifts a little and is back where it began",
    "{body} sways about one spot",
    "{body} leaves its place only a little and ends close to where it began",
    "there is a little sway, but {body} ends where it began",
    "{body} comes back to its first place",
)
ABOUT = (
    "{body} covers {path} of floor in all and ends {net} from where it began",
    "the way over the floor adds up to {path}, its two ends are {net} apart",
    "{body} changes its place by {net}, over a way of {path}",
)
GOING = (
    "{body} moves {way}",
    "{body} goes {way}",
    "{body} has to move {way}",
    "{body} gets {way}",
    "the way leads {way}",
    "it goes {way}",
    "{body} is carried {way}",
    "what is needed is a move of {way}",
)

FACING = (
    "the heading stays the same",
    "the body faces the same way all the time",
    "the chest points the same way throughout",
    "hips and shoulders keep their heading",
    "the heading at the end is that of the beginning",
    "where the body faces does not change",
    "it ends facing as it began",
)
TURNING = ("it turns", "the heading turns", "the body turns", "hips and shoulders turn", "the person turns")

# (of one hand, of both hands)
RISES = (
    ("comes up", "come up"),
    ("rises", "rise"),
    ("lifts", "lift"),
    ("has to come up", "have to come up"),
    ("is raised", "are raised"),
)
UP_AT_FIRST = ("is raised", "are raised")
LOW = (
    "the arms stay low",
    "no hand comes up",
    "the arms hang below chest height",
    "neither hand gets up to the chest",
    "the two arms remain low",
)
UNEQUAL = (
    "the {first.name} hand {verb} {first.level} and the {second.name} hand {second.level}",
    "the {first.name} hand {verb} {first.level}, higher than the {second.name} hand, which gets {second.level}",
)
OTHER_LOW = (" while the other arm stays low", ", the other arm hangs down", ", with the other arm low", "")
ONCE = (
    " and {are} up from {start} to {end}",
    ", up from {start} until {end}",
    " and {are} at chest height or above from {start} to {end}",
)
OFTEN = (", first at {start}, until {end}", ", for the first time at {start} and for the last until {end}")
COUNTS = {2: "twice", 3: "three times", 4: "four times", 5: "five times", 6: "six times"}

SINKS = ("the hips sink by {} and end lower", "the hips come down by {}", "the hips have to sink by {}")
DIPS = (
    "the hips go down by {} and come up again",
    "the hips sink by {} in between",
    "the hips dip by {}",
    "on the way the hips get {} lower",
)
ENDS_HIGHER = ("the hips come up by {}", "the hips end {} higher than they began", "the hips have to rise by {}")
HOPS = (
    "the hips go up by {} in between",
    "the hips come {} above their first height",
    "at their highest the hips are {} higher",
)
LEVEL = (
    "the hips remain within {} centimeters of their first height all the way through",
    "from first to last the height of the hips changes by less than {} centimeters",
    "all the time the hips are less than {} centimeters above or below their first height",
)
BENDING = (
    "the trunk bends over by {}",
    "the back leans over by {}",
    "the upper body tips over by {}",
    "at the hips the trunk folds by {}",
)
BOTH_FEET = ("both feet come off the floor", "each foot leaves the floor")
ONE_FOOT = (
    "the {side} foot comes {height} off the floor while the other foot carries the weight",
    "the weight is on one leg, the {side} foot is up to {height} above the floor",
    "the {side} foot leaves the floor by up to {height}",
)
