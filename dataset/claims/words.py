"""The words that claims are read from: verbs of actions, and what limbs, sides, ways, counts and speeds are called.

`python -m tests.benchmarks.claims_on_captions --grammar` prints them. A pattern is a regular expression of whole words
in lower case.
"""

import re

# Action -> verbs. What `step`, `move`, `bend` and others mean is decided by the words beside them
# (`dataset.claims.meaning`).
VERBS = {
    "walk": r"walk(?:s|es|ed|ing)?|stroll(?:s|ed|ing)?|strid(?:es?|ing)|march(?:es|ed|ing)?|wander(?:s|ed|ing)?"
    r"|strut(?:s|ted|ting)?|tiptoe(?:s|d|ing)?|limp(?:s|ed|ing)?|pac(?:es|ed|ing)|trudg(?:es?|ed|ing)"
    r"|saunter(?:s|ed|ing)?|sneak(?:s|ed|ing)?",
    "run": r"run(?:s|ning)?|ran|jog(?:s|ged|ging)?|sprint(?:s|ed|ing)?|dash(?:es|ed|ing)?",
    "step": r"step(?:s|ped|ping)?|strides",
    "move": r"mov(?:e|es|ed|ing)|go(?:es|ing)?|went|travel(?:s|ed|ling|ing)?|proceed(?:s|ed|ing)?"
    r"|advanc(?:es|ed|ing)|back(?:s|ed|ing) (?:up|away)|shuffl(?:e|es|ed|ing)",
    "sidestep": r"sidestep(?:s|ped|ping)?",
    "turn": r"turn(?:s|ed|ing)?|rotat(?:e|es|ed|ing|ion)|spin(?:s|ning)?|spun|pivot(?:s|ed|ing)?|twirl(?:s|ed|ing)?"
    r"|uturns?",
    "circle": r"circl(?:e|es|ed|ing)|circular",
    "curve": r"corners?|curv(?:e|es|ed|ing)|arc|bend|degrees? (?:left |right )?(?:turn|curve|bend|circle)"
    r"|(?:half|quarter|semi)[ -]?(?:of a )?circ(?:le|ular)\w*"
    r"|chang(?:es|ed|ing) (?:\w+ )?directions?",
    "jump": r"jump(?:s|ed|ing)?|leap(?:s|ed|t|ing)?|hop(?:s|ped|ping)?",
    "kick": r"kick(?:s|ed|ing)?",
    "squat": r"squat(?:s|ted|ting)?|crouch(?:es|ed|ing)?",
    "sit": r"(?:sit(?:s|ting)?|sat) (?:back )?down|(?:takes?|taking|took) a seat|(?:sit(?:s|ting)?|sat) onto"
    r"|lowers? the body onto a chair",
    "stand": r"(?:stand(?:s|ing)?|stood|get(?:s|ting)?|got) (?:back |himself |herself |themselves )?up"
    r"|ris(?:es|ing|e) from",
    "still": r"(?:stand(?:s|ing)?|stood|stay(?:s|ed|ing)?|remain(?:s|ed|ing)?|keep(?:s|ing)?) (?:completely |very )?"
    r"(?:still|motionless|in (?:one )?place|on the spot)|stands? there|(?:is|are) standing",
    "bow": r"bow(?:s|ed|ing)?",
    "bend": r"bend(?:s|ing)?|bent (?=down|over)",
    "lean": r"lean(?:s|ed|ing)?|tilt(?:s|ed|ing)?",
    "raise": r"rais(?:e|es|ed|ing)|lift(?:s|ed|ing)?|hold(?:s|ing)? up|held up|put(?:s|ting)? up|bring(?:s|ing)? up"
    r"|throw(?:s|ing)? up|(?:put|bring|move|pull|swing|throw|hold)(?:s|ing)? (?=(?:\w+ ){1,3}up\b)",
    "swing": r"swing(?:s|ing)?|swung",
    "stretch": r"stretch(?:es|ed|ing)?|extend(?:s|ed|ing)?|reach(?:es|ed|ing)?",
    "wave": r"wav(?:e|es|ed|ing)",
    # Known to be something else: what follows does not belong to the action before.
    "other": r"push(?:es|ed|ing)?|shov(?:es|ed|ing)|pull(?:s|ed|ing)?|stumbl(?:es|ed|ing)|look(?:s|ed|ing)?"
    r"|throw(?:s|ing)?|threw|catch(?:es|ing)?|grab(?:s|bed|bing)?|pick(?:s|ed|ing)?|plac(?:es|ed|ing)|danc(?:es|ed|ing)"
    r"|crawl(?:s|ed|ing)?|drift(?:s|ed|ing)?|wip(?:es|ed|ing)|hit(?:s|ting)?|lower(?:s|ed|ing)?|put(?:s|ting)? down",
    "clap": r"clap(?:s|ped|ping)?|applaud(?:s|ed|ing)?",
    "punch": r"punch(?:es|ed|ing)?|jab(?:s|bed|bing)?",
}
# Words that look like one of these verbs and are none, or whose action is another one.
NO_VERB = (
    r"jumping jacks?|jump(?:s|ing)? ropes?|in turns?|by turns|step (?:by step|ladder)"
    r"|turn(?:s|ed|ing)? (?:on(?! (?:the spot|the (?:left|right)|his|her|their|its|one|both|spot))|off|into|out)"
    r"|(?:hop|jump)(?:s|ped|ed|ping|ing)? (?:\w+ )?on (?:one|his|her|their|its|the) (?:\w+ )?(?:foot|leg)"
    r"|one[- ](?:legged|footed) \w+|bow and arrow|bows? (?:an arrow|string)|forward ?bends?|dance steps?|moving company"
    r"|(?:run|walk)s? (?:his|her|their|its) (?:\w+ )?hands?|runs? out|going to|goes? to (?:sit|stand|pick|grab|the)"
    r"|side ?kicks? the ball|(?:takes?|took) turns"
    r"|(?:avoid|dodg|block|evad|receiv|duck)\w* (?:\w+ )?(?:punch|kick)(?:es|s)?"
)
# What is turned, moved or bent and is not the whole body.
_PART = r"(?:head|neck|waist|hips?|torso|trunk|shoulders?|upper body|wrists?|elbows?|ankles?|knees?|legs?|arms?|hands?"
_PART += r"|foot|feet|fingers?|body parts?)"
_OBJECT = r"(?:wheels?|knobs?|keys?|handles?|pages?|something|objects?|dials?|screws?|valves?|lids?|doors?|cranks?|box"
_OBJECT += r"|it|them|things?|items?|balls?|chairs?)"
_BEFORE_IT = r"(?:(?:a|an|the|his|her|their|its|some|multiple|both|one|left|right|big|large|small|steering|own) )*"
OTHER_OBJECT = rf"{_BEFORE_IT}(?:{_PART}|{_OBJECT})\b"
_THING = r"weight|path|heading|way|line|gaze|attention|clip|motion|action|movement"
OTHER_SUBJECT = rf"(?:{_PART}|{_THING})(?: (?:also|then|both|slightly|slowly))?$"

HAND = r"(?:hand|arm|fist|elbow|forearm|wrist|palm)"
LEG = r"(?:leg|foot|knee)"
_NOUN = rf"(?:{HAND}|{LEG})s?|feet"
OWNER = r"(?:his|her|their|its|the|a|my|your)"
LIMB = re.compile(
    rf"\b(?:(?:{OWNER} )?(?P<side>left|right|both|two|one|single)(?: of)?(?: {OWNER})?[ -](?:\w+ )??(?P<one>{_NOUN})"
    rf"|{OWNER} (?P<plain>{_NOUN})|(?P<many>(?:{HAND}|{LEG})s|feet))\b"
)
# "with his right": the limb goes without saying.
WITH_SIDE = re.compile(rf"\bwith (?:{OWNER} )?(left|right)\b(?! (?:side|turn|hand))")

WAYS = {
    "left": r"left(?:wards?)?|counterclockwise",
    "right": r"right(?:wards?)?|clockwise",
    "forward": r"forwards?|ahead|onwards?|straight(?! (?:up|back|down|line|legs?|arms?))|to the front",
    "backward": r"backwards?|in reverse|rearwards?",
    "back": r"back(?! (?:and|to|of|up|down|leg|foot))",
    "up": r"(?:straight )?up(?:wards?)?(?: (?:in|into) the air)?|high",
    "side": r"sideways?|(?:out )?to (?:the|his|her|their|its|both|either) sides?|laterally|to one side",
    "front": r"to the front|in front(?: of)?|forwards?|before the (?:chest|body)",
    "overhead": rf"(?:above|over) (?:{OWNER} )?heads?|overhead",
    "in place": r"in (?:one )?place|on the spot|in the same (?:place|spot)",
}
# "right" and "left" that are no side to go to.
NO_WAY = (
    r"right (?:away|now|after|before|angles?|in front)|(?:from )?(?:left to right|right to left|side to side)"
    r"|back and forth|forth and back|left (?:over|the)|left and right|right and left"
    rf"|(?:from|by|on) {OWNER} (?:left|right)(?: hand)?(?: side)?|(?:left|right)-handed"
)
LEVELS = {
    "above the head": WAYS["overhead"],
    "head height": r"head (?:height|level)",
    "shoulder height": r"shoulder (?:height|level)",
}
SPEEDS = {
    "slow": r"slow(?:ly)?|leisurely|unhurried(?:ly)?",
    "normal": r"(?:normal|moderate|medium|steady|regular|usual|average) (?:pace|speed)",
    "quick": r"quick(?:ly)?|fast(?:er)?|rapid(?:ly)?|swift(?:ly)?|brisk(?:ly)?|hurried(?:ly)?|in a hurry",
}
DEPTHS = {"deep": r"deep(?:ly)?", "slight": r"slight(?:ly)?"}
DEGREES = {
    90: r"quarter|right angle",
    180: r"half(?= (?:circle|turn|of a (?:circle|turn)|a (?:circle|turn)))|semi ?-?circle|uturns?"
    r"|turn(?:s|ed|ing)? (?:back |completely |fully |all the way )?around"
    r"(?! (?:a|the|in) (?:corner|curve|circle|bend))",
    360: r"(?:full|whole|complete) (?:circle|turn|rotation|spin)",
}
_ONES = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
NUMBERS = {word: number for number, word in enumerate(f"{_ONES} seventeen eighteen nineteen twenty".split())}
NUMBERS |= {"single": 1}
NUMBER = rf"(?P<number>\d+(?:\.\d+)?|{'|'.join(sorted(NUMBERS, key=len, reverse=True))})"
OFTEN = {"once": 1, "twice": 2, "thrice": 3}
ABOUT = r"about|around|roughly|approximately|almost|nearly|some"
# Words between a number and what it counts.
_KIND = (
    r"(?:(?:more|small|big|large|short|long|little|slow|quick|fast|normal|tiny|huge|running|careful|consecutive"
    r"|front|side|straight|backward|forward|high|low|deep|full|half|single) )*"
)
# What is counted -> its unit.
COUNTED = {
    "times": r"times?\b",
    "steps": rf"{_KIND}(?:steps?|paces?|strides?)\b",
    "degrees": r"degrees?",
    "metres": r"(?:met(?:er|re)s?|m)\b(?! ?/| per| a second| high)",
    "nouns": rf"{_KIND}(?:(?:left|right|hand|arm|leg|front|side) )*"
    r"(?:jumps?|hops?|leaps?|kicks?|punch(?:es)?|jabs?|squats?|bows?|claps?|waves?|turns?|circles?)\b",
}
FIRST_FOOT = re.compile(
    r"(?:start(?:s|ed|ing)?|begin(?:s|ning)?|began|first)[^.;]{0,12}?(?:with|on|by) (?:his |her |their |its |the )?"
    r"(left|right)(?! (?:hand|arm|side|turn))|(left|right) (?:foot|leg) first"
)
DENIAL = re.compile(r"\b(?:not|never|no longer|without|instead of|rather than|neither|nor|no|\w+n't)(?!\w)")
# A denial of more than the action: how much, how often, with what.
IN_PART = (
    r"\b(?:high(?:er)?|too|much|fully|completely|all the way|far|repeated|repeatedly|straight|smoothly"
    r"|any(?:thing|more))\b"
)
# "takes a step": the number goes without saying.
_WHO = r"foot|leg|person|man|woman|human|figure|guy|subject"
ONE_STEP = re.compile(rf"\b(?:a|one|a single) (?:(?!{_WHO})\w+ )?(?:step|stride)\b(?! (?:by|ladder))")
# What joins the pieces of a text, and what it says of their order.
THEN = (
    r"then|next|after (?:that|this|which)|afterwards?|thereafter|followed by|finally|lastly|subsequently|before|until"
)
AFTER = r"after"
WHILE = r"while|as|when|whilst|simultaneously|at the same time|during"
AND = r",|\b(?:and|but|or|so|by|in order to|to(?= (?:sit|stand|walk|run|turn|jump|kick|squat|wave|bow|raise|lift)\b))\b"
COMPARED = re.compile(
    r"\b(?:as (?:if|though)|like|in the (?:manner|style) of|similar to|pretend\w*|imitat\w+|trying to|tries to"
    r"|prepar\w+ to|ready to|about to|supposed to|appears? to|seems? to|looks? (?:as|like))\b"
    r"[^.;]*?(?=,| and | then |[.;]|$)"
)
