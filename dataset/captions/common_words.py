"""Common words of English captions of motion have their part of speech here, for captions that nothing else can tag.

Closed classes whole, and the verbs, nouns, adjectives and adverbs that people describe motion with. One word has one
part of speech; verbs and nouns stand as lemmas, to which the tagger leads other forms. The words that the toy people's
captions consist of are not repeated: they are in `dataset.toy.lexicon`.
"""

_WORDS = {
    "AUX": "am are be been being can could is may might must should was were will would",
    "CCONJ": "but nor or",
    "SCONJ": "after although as because before if since than that though unless until when where whether without",
    "PART": "not",
    "DET": "all an another any each either every neither no some such these those which",
    "PRON": "anything everyone everything he her hers herself him himself his i its itself me my myself nobody "
    "nothing other others our she something their theirs themself themselves they us we what who whose "
    "you your",
    "NUM": "zero five seven eight nine ten eleven twelve fifteen twenty thirty forty fifty sixty seventy "
    "hundreds thousand third",
    "ADP": "about across against along among behind below beneath beside besides between beyond during except "
    "inside like near off opposite outside past per through throughout toward under underneath upon via "
    "within",
    "ADV": "abruptly afterwards almost already also alternately altogether always anticlockwise apart "
    "approximately away backwards barely briefly briskly calmly carefully casually cautiously completely "
    "constantly continuously diagonally directly downstairs downward downwards effortlessly else "
    "energetically even eventually exactly finally firmly forcefully forth forwards freely fully gently "
    "gracefully gradually halfway happily hardly heavily here horizontally how however immediately "
    "instead just lastly lazily leftward lightly long loosely maybe mostly nearly nervously next nicely "
    "normally now often only overhead partially partly perhaps playfully powerfully previously probably "
    "quietly quite randomly rather really repeatedly rhythmically sadly sharply shortly sideward "
    "sidewards sidewise smoothly so softly sometimes somewhat soon steadily stiffly still straightaway "
    "strongly suddenly swiftly there thereby thrice tightly tiredly too upstairs upwards usually "
    "vertically very vigorously violently wearily well whenever why wide wildly",
    "ADJ": "angry athletic backhand bad balanced bent big careful casual circular clear closed common complete "
    "confident curved deep diagonal different difficult double drunk drunken dynamic elderly energetic "
    "entire exaggerated excited exhausted extended feminine few fitter flat forceful free further gentle "
    "good graceful happy hard heavy higher horizontal huge imaginary initial injured inner invisible "
    "joyful large larger last light little lively loose many masculine medium middle moderate more most "
    "much multiple narrow natural nervous new normal old original outer outstretched own parallel playful "
    "proud random ready regular relaxed round sad same several shallow sharp short similar single slight "
    "small smooth soft standard stationary stiff strong sudden tall tight tiny tired underhand usual "
    "vertical weak whole wild young youthful",
    "NOUN": "abdomen action air airplane angle ankle arc area attention backflip bag ball ballet bar base "
    "baseball basketball bed beginning belly bench bicep bit bottle bottom bowl boxer boxing button calf "
    "car center centimeter chicken child chin clock club conversation couple course curve dancer "
    "direction distance door drum dumbbell ear edge elbow end energy eye face finger floor food football "
    "forearm form game gesture glass goal golf ground guitar gun hair hammer handle handrail handstand "
    "heel height hill human hurry instrument item jack jogger joint karate kickbox kind knife level limb "
    "line log lot machine man manner martial meter mid minute mirror moment motion mouth movement music "
    "neck number object obstacle palm paper part partner path pattern piano picture plane platform point "
    "pose position posture punching racket rail railing ramp rest rhythm ring robot rock rope routine "
    "second sequence shape shoe shot shoulder slope soccer sort space speed spirit split sport square "
    "stage stair staircase stance stick stomach stone stool stroke style subject surface sword table "
    "tennis thigh thing thumb tip toe top towel track tree uturn violin volleyball waiter wall water "
    "weight wheel wind window woman world wrist yoga zombie",
    "VERB": "act adjust aim appear attempt avoid balance block bounce box break brush carry cartwheel catch "
    "change check chop clean climb close collapse continue cover crawl cross curl dance dip dive do dodge "
    "drag draw dribble drink drive drop duck eat enter evade exercise extend fall fight find flap flip "
    "fold follow freeze gallop give greet guide hang have hit hold hunch imitate inspect interlock join "
    "keep kneel knock land lay lead let lie limp lock look lose lunge make march mime mimic nod open pass "
    "pat pause pedal perform pick pivot play pour practice prepare press pretend proceed pull pump push "
    "put reach receive recover relax release remain remove repeat resemble resume roll row rub salute say "
    "scratch search seem serve set shake shift shove show shrug shuffle sip skate skip slap sleep slice "
    "slide slip smell sneak spar spin spread stagger start stay stir stomp stop stride strike stroll "
    "strum strut stumble surf swat sway sweep swim switch talk tap taste throw tie tiptoe toss touch "
    "trace transition trip try tuck tumble twirl twist use waddle wait waltz wander want wash watch wield "
    "wipe write zigzag",
}


def common_pairs() -> list[tuple[str, tuple[str, ...]]]:
    """(word, its one token) for every word: what a tagger can learn from where nothing better is at hand."""
    return [(word, (f"{word}/{pos}",)) for pos, words in _WORDS.items() for word in words.split()]
