"""What the files in the folder of an evaluator are called: ours, and that of the published one on the hub."""

from dataset.captions.word_vectors import PREFIX

# Of ours: written last, so where it is, the evaluator is whole.
ABOUT_FILE = "evaluator.json"
# Of the hub's.
CONFIG_FILE, PREPROCESSOR_FILE = "config.json", "preprocessor_config.json"
WEIGHTS_FILE, MANIFEST_FILE = "model.safetensors", "artifact_manifest.json"
STATISTICS_FILES = ("stats/mean.npy", "stats/std.npy")
WORDS = f"glove/{PREFIX}"  # folder and prefix of the three files
