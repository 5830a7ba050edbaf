"""Words behind whose period a sentence goes on, of several languages."""

# Never the end of a sentence: titles, and what stands before that which it abbreviates.
LEADING = frozenset(
    # English
    "mr mrs ms dr prof rev hon gen capt lt sgt gov messrs vs v cf viz e.g i.e dept resp "  # noqa: SIM905
    # German
    "hr fr frl dipl ing bzw ggf evtl sog z.b d.h u.a o.ä v.a i.d.r z.t zz zzt inkl exkl vgl geb "
    "bspw insb mio mrd ehem ugs österr allg "
    # French, Spanish, Italian, Portuguese, Dutch
    "mme mlle mgr p.ex sra srta dña ud uds vd p.ej sig sigg dott avv exmo exma dhr mevr mw drs "
    "bijv d.w.z".split()
)

# Goes on where a number follows: "No. 5", "Abb. 3", "p. ix".
COUNTING = frozenset(
    "no nos nr nrs num n art abs s p pp vol bd fig figs abb tab eq sec ch kap cap par ziff § "  # noqa: SIM905
    "jg vers nº n°".split()
)

# May end a sentence, and does where the next word begins one: "etc.", "Inc.".
TRAILING = frozenset(
    "etc usw uvm usf inc ltd corp co cie gmbh jr sr a.m p.m u.s u.k u.n e.u d.c n.chr v.chr b.c "  # noqa: SIM905
    "a.d ph.d m.d s.a ecc enz st mt ft ca approx est incl al sen rep pres col mag gest tel str "
    "env me o.a sr ej dom "
    # months
    "jan feb mar apr jun jul aug sep sept oct okt nov dec dez déc janv févr avr juil ene abr ago "
    "dic genn giu lug ott".split()
)

# Words that mostly begin a sentence where they are written with a capital.
STARTERS = frozenset(
    "the a an in on at of it he she we they you i this that these those there here but and or so "  # noqa: SIM905
    "if when while after before as for from with what who how why where my his her our their its "
    "not no yes however then now one some many most "
    "der die das ein eine er sie es wir ihr dies diese dieser dieses und oder aber doch wenn als "
    "nach vor in im am auf bei mit was wer wie warum wo nicht kein keine ja nein dann jetzt "
    "le la les un une il elle ils elles on nous vous ce cette ces et mais ou si quand dans sur "
    "el los las una unos ella ellos este esta pero y o cuando en no sí "
    "lo gli uno lui lei noi questo questa ma e se quando nel nella non "
    "os as um uma ele ela eles este mas quando no na não "
    "de het een hij zij wij dit dat maar en of als toen op".split()
)

# Months and nouns behind ordinals in languages that write them with a period: "am 3. Mai".
ORDINAL_NOUNS = frozenset(
    "januar jänner februar märz april mai juni juli august september oktober november dezember "  # noqa: SIM905
    "jahrhundert jahrhunderts jh weltkrieg weltkriegs weltkrieges klasse auflage kapitel stock "
    "geburtstag jahrestag platz etage band bundesliga liga januari februari".split()
)
