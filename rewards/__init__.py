"""The rewards that have a name: name -> "module:Class", imported when asked for (`rewards.mixture.loading`)."""

REWARDS = {
    "format": "rewards.motion_format:MotionFormat",
    "physical": "rewards.physical_plausibility:PhysicalPlausibility",
    "consistency": "rewards.text_motion_consistency:TextMotionConsistency",
    "facts": "rewards.facts:Facts",
    "contradiction": "rewards.facts:Contradiction",
    "grounding": "rewards.grounding:Grounding",
    "semantic": "rewards.semantic_alignment:SemanticAlignment",
    "coherence": "rewards.reasoning_coherence:ReasoningCoherence",
}
