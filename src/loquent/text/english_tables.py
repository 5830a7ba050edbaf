"""Small tables of what English writes shorter than it says: units, money, abbreviations, signs."""

from collections.abc import Mapping

# One and many, by how they are written behind a number.
UNITS: Mapping[str, tuple[str, str]] = {
    "km": ("kilometer", "kilometers"),
    "m": ("meter", "meters"),
    "cm": ("centimeter", "centimeters"),
    "mm": ("millimeter", "millimeters"),
    "µm": ("micrometer", "micrometers"),
    "nm": ("nanometer", "nanometers"),
    "mi": ("mile", "miles"),
    "yd": ("yard", "yards"),
    "ft": ("foot", "feet"),
    "in": ("inch", "inches"),
    "km²": ("square kilometer", "square kilometers"),
    "km2": ("square kilometer", "square kilometers"),
    "m²": ("square meter", "square meters"),
    "m2": ("square meter", "square meters"),
    "m³": ("cubic meter", "cubic meters"),
    "m3": ("cubic meter", "cubic meters"),
    "cm³": ("cubic centimeter", "cubic centimeters"),
    "sq ft": ("square foot", "square feet"),
    "ha": ("hectare", "hectares"),
    "t": ("ton", "tons"),
    "kg": ("kilogram", "kilograms"),
    "g": ("gram", "grams"),
    "mg": ("milligram", "milligrams"),
    "µg": ("microgram", "micrograms"),
    "lb": ("pound", "pounds"),
    "lbs": ("pound", "pounds"),
    "oz": ("ounce", "ounces"),
    "l": ("liter", "liters"),
    "L": ("liter", "liters"),
    "ml": ("milliliter", "milliliters"),
    "mL": ("milliliter", "milliliters"),
    "cl": ("centiliter", "centiliters"),
    "gal": ("gallon", "gallons"),
    "mph": ("mile per hour", "miles per hour"),
    "km/h": ("kilometer per hour", "kilometers per hour"),
    "kph": ("kilometer per hour", "kilometers per hour"),
    "m/s": ("meter per second", "meters per second"),
    "ms": ("millisecond", "milliseconds"),
    "s": ("second", "seconds"),
    "sec": ("second", "seconds"),
    "secs": ("second", "seconds"),
    "min": ("minute", "minutes"),
    "mins": ("minute", "minutes"),
    "h": ("hour", "hours"),
    "hr": ("hour", "hours"),
    "hrs": ("hour", "hours"),
    "yr": ("year", "years"),
    "yrs": ("year", "years"),
    "Hz": ("hertz", "hertz"),
    "kHz": ("kilohertz", "kilohertz"),
    "MHz": ("megahertz", "megahertz"),
    "GHz": ("gigahertz", "gigahertz"),
    "V": ("volt", "volts"),
    "A": ("ampere", "amperes"),
    "W": ("watt", "watts"),
    "kW": ("kilowatt", "kilowatts"),
    "MW": ("megawatt", "megawatts"),
    "GW": ("gigawatt", "gigawatts"),
    "kWh": ("kilowatt-hour", "kilowatt-hours"),
    "mAh": ("milliampere-hour", "milliampere-hours"),
    "J": ("joule", "joules"),
    "kJ": ("kilojoule", "kilojoules"),
    "kcal": ("kilocalorie", "kilocalories"),
    "Pa": ("pascal", "pascals"),
    "hPa": ("hectopascal", "hectopascals"),
    "kPa": ("kilopascal", "kilopascals"),
    "dB": ("decibel", "decibels"),
    "KB": ("kilobyte", "kilobytes"),
    "kB": ("kilobyte", "kilobytes"),
    "MB": ("megabyte", "megabytes"),
    "GB": ("gigabyte", "gigabytes"),
    "TB": ("terabyte", "terabytes"),
    "MiB": ("mebibyte", "mebibytes"),
    "GiB": ("gibibyte", "gibibytes"),
    "Mbps": ("megabit per second", "megabits per second"),
    "Mbit/s": ("megabit per second", "megabits per second"),
    "Gbps": ("gigabit per second", "gigabits per second"),
    "GB/s": ("gigabyte per second", "gigabytes per second"),
    "MB/s": ("megabyte per second", "megabytes per second"),
    "px": ("pixel", "pixels"),
    "MP": ("megapixel", "megapixels"),
    "°": ("degree", "degrees"),
    "°C": ("degree Celsius", "degrees Celsius"),
    "°F": ("degree Fahrenheit", "degrees Fahrenheit"),
    "℃": ("degree Celsius", "degrees Celsius"),
    "℉": ("degree Fahrenheit", "degrees Fahrenheit"),
    "K": ("kelvin", "kelvins"),
    "%": ("percent", "percent"),
    "‰": ("per mille", "per mille"),
}
# Words of their own that a letter behind a number may be, too: only with these right behind it.
TIGHT_UNITS = frozenset({"A", "K", "V", "W", "J", "in", "s", "h", "t", "m", "g", "l", "L", "MP"})

# The unit, many of it, its hundredth, many of that; "" where there is none.
MONEY: Mapping[str, tuple[str, str, str, str]] = {
    "$": ("dollar", "dollars", "cent", "cents"),
    "US$": ("US dollar", "US dollars", "cent", "cents"),
    "A$": ("Australian dollar", "Australian dollars", "cent", "cents"),
    "C$": ("Canadian dollar", "Canadian dollars", "cent", "cents"),
    "HK$": ("Hong Kong dollar", "Hong Kong dollars", "cent", "cents"),
    "USD": ("US dollar", "US dollars", "cent", "cents"),
    "€": ("euro", "euros", "cent", "cents"),
    "EUR": ("euro", "euros", "cent", "cents"),
    "£": ("pound", "pounds", "penny", "pence"),
    "GBP": ("British pound", "British pounds", "penny", "pence"),
    "¥": ("yen", "yen", "", ""),
    "JPY": ("yen", "yen", "", ""),
    "CNY": ("yuan", "yuan", "fen", "fen"),
    "RMB": ("yuan", "yuan", "fen", "fen"),
    "₹": ("rupee", "rupees", "paisa", "paise"),
    "INR": ("rupee", "rupees", "paisa", "paise"),
    "₩": ("won", "won", "", ""),
    "₽": ("ruble", "rubles", "kopeck", "kopecks"),
    "₺": ("lira", "liras", "kurus", "kurus"),
    "₿": ("bitcoin", "bitcoins", "", ""),
    "CHF": ("Swiss franc", "Swiss francs", "centime", "centimes"),
}
MAGNITUDES: Mapping[str, str] = {
    "k": "thousand",
    "K": "thousand",
    "m": "million",
    "M": "million",
    "mn": "million",
    "bn": "billion",
    "B": "billion",
    "tn": "trillion",
    "T": "trillion",
}

MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip
DAYS: Mapping[str, str] = {
    "Mon": "Monday",
    "Tue": "Tuesday",
    "Tues": "Tuesday",
    "Wed": "Wednesday",
    "Thu": "Thursday",
    "Thur": "Thursday",
    "Thurs": "Thursday",
    "Fri": "Friday",
    "Sat": "Saturday",
    "Sun": "Sunday",
}

# With a period; those of `ALWAYS_SHORT` also without one.
ABBREVIATIONS: Mapping[str, str] = {
    "Mr": "mister",
    "Mrs": "missus",
    "Ms": "miz",
    "Prof": "professor",
    "Rev": "reverend",
    "Hon": "honorable",
    "Gov": "governor",
    "Pres": "president",
    "Sen": "senator",
    "Rep": "representative",
    "Gen": "general",
    "Col": "colonel",
    "Capt": "captain",
    "Lt": "lieutenant",
    "Sgt": "sergeant",
    "Cpl": "corporal",
    "Maj": "major",
    "Adm": "admiral",
    "Jr": "junior",
    "Sr": "senior",
    "Esq": "esquire",
    "Inc": "incorporated",
    "Ltd": "limited",
    "Corp": "corporation",
    "Co": "company",
    "Bros": "brothers",
    "Dept": "department",
    "dept": "department",
    "Univ": "university",
    "Assn": "association",
    "Ave": "avenue",
    "Blvd": "boulevard",
    "Rd": "road",
    "Ln": "lane",
    "Hwy": "highway",
    "Apt": "apartment",
    "Mt": "mount",
    "Ft": "fort",
    "etc": "et cetera",
    "vs": "versus",
    "e.g": "for example",
    "i.e": "that is",
    "cf": "compare",
    "viz": "namely",
    "approx": "approximately",
    "est": "estimated",
    "incl": "including",
    "max": "maximum",
    "min": "minimum",
    "avg": "average",
    "temp": "temperature",
    "misc": "miscellaneous",
    "govt": "government",
    "intl": "international",
    "tel": "telephone",
    "ext": "extension",
    "al": "al",
}
ALWAYS_SHORT = frozenset({"Mr", "Mrs", "Ms", "Prof", "Lt", "Sgt", "Jr", "Blvd", "vs", "etc"})
# Before a number only: "No. 5", "Fig. 2".
COUNTED: Mapping[str, str] = {
    "No": "number",
    "no": "number",
    "Nos": "numbers",
    "Fig": "figure",
    "fig": "figure",
    "Figs": "figures",
    "Eq": "equation",
    "Sec": "section",
    "Ch": "chapter",
    "ch": "chapter",
    "Vol": "volume",
    "vol": "volume",
    "p": "page",
    "pp": "pages",
    "Art": "article",
    "Tab": "table",
}

SIGNS: Mapping[str, str] = {
    "&": "and",
    "@": "at",
    "#": "hash",
    "+": "plus",
    "=": "equals",
    "≈": "approximately equals",
    "≠": "is not equal to",
    "<": "less than",
    ">": "greater than",
    "≤": "at most",
    "≥": "at least",
    "×": "times",
    "÷": "divided by",
    "±": "plus or minus",
    "√": "square root of",
    "∞": "infinity",
    "π": "pi",
    "°": "degrees",
    "%": "percent",
    "‰": "per mille",
    "§": "section",
    "¶": "paragraph",
    "©": "copyright",
    "®": "registered",
    "™": "trademark",
    "$": "dollar",
    "€": "euro",
    "£": "pound",
    "¥": "yen",
    "→": "to",
    "←": "from",
    "\\": "backslash",
    "^": "caret",
    "~": "tilde",
    "|": "bar",
    "_": "underscore",
    "/": "slash",
    "№": "number",
}
# Letters that words are made of elsewhere, said by their names.
GREEK: Mapping[str, str] = dict(
    zip(
        "αβγδεζηθικλμνξοπρστυφχψω",
        (  # noqa: SIM905
            "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi "
            "rho sigma tau upsilon phi chi psi omega"
        ).split(),
        strict=True,
    )
)

# Acronyms that are said as words; others are spelled where they are short or cannot be said.
SAID_AS_WORDS = frozenset(
    "NASA NATO UNESCO UNICEF OPEC AIDS ASCII ASAP BASIC CERN COBOL COVID DARPA FIFA GIF IKEA "  # noqa: SIM905
    "INTERPOL JPEG LASER LED NAFTA NASDAQ NIMBY PIN RADAR RAM ROM SARS SCUBA SIM SONAR SWAT SWOT "
    "TED TIFF UEFA VIP WASP WIFI YOLO ZIP LORAN MIDI MoMA OSHA HIPAA FEMA GUI LAN WAN BERT GAN "
    "OK".split()
) - {"LED", "VIP", "OK"}
CAPITAL_WORDS = frozenset(
    "THE AND FOR NOT YOU ARE WAS BUT ALL CAN HAD HER HIS ONE OUR OUT DAY GET HAS HIM HOW MAN NEW "  # noqa: SIM905
    "NOW OLD SEE TWO WAY WHO BOY DID ITS LET PUT SAY SHE TOO USE YES NO IF IN IS IT OF ON OR SO TO "
    "UP WE AM AN AS AT BE BY DO GO HE ME MY STOP FREE SALE HELP WARNING DANGER OPEN EXIT".split()
)
ROMAN_HEADS = (
    "Chapter|Part|Book|Volume|Section|Act|Scene|Phase|Type|Class|Level|Appendix|Article|Grade|"
    "World War|Super Bowl|Star Wars|Rocky|Apollo|Mark|Title|Stage"
)
ROMAN_RULERS = (
    "Henry|Edward|Richard|George|William|James|Charles|Louis|Elizabeth|Mary|Philip|Peter|"
    "Catherine|Alexander|Nicholas|Frederick|Napoleon|John Paul|Pius|Benedict|Gregory|Leo|Paul|"
    "Victoria|Ferdinand|Otto|Ramses|Ptolemy|Felipe|Juan Carlos|Wilhelm|Leopold|Christian|Pope \\w+|"
    "King \\w+|Queen \\w+"
)
