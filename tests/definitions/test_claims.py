"""The shipped claim files against a table of sentences, and what a wrong file is told."""

# ruff: noqa: E501 - tables of sentences

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from zirelia.definitions.claims import load_claims, read_claims
from zirelia.definitions.personas import load_persona
from zirelia.domain.claims import claims_in, leaning
from zirelia.domain.text_plain import sentences
from zirelia.errors import DefinitionError

FORBIDDEN = {
    "en": """I've been using this cream for weeks.|I have been taking these vitamins since May.|I tried this new serum.
My skin has never felt better.|I swear by this shampoo.|It changed my life.|I highly recommend this brand.|It worked wonders for my hair.
The best mascara I've ever used.|After two weeks of using it, I glow.|This tea cures anxiety.|It healed my insomnia.
Stop taking your medication.|You should take this supplement.|Lose ten kilos in a month.|It boosts your immune system.
Clinically proven.|Buy bitcoin now.|Passive income for all.|Double your money.|Earn 300 dollars a month from home.
I'm a real person.|I am not an AI.|I'm human, like you.|I’m not a bot.|I was born in Porto.|These photos are real.
Results guaranteed.|100% safe and natural.|It is risk-free.|You won't regret buying it.
I am a little girl who loves to read.|I'm just a teenager.|I'm 16 years old.""",
    "de": """Ich benutze diese Creme seit Wochen.|Ich habe das neue Serum getestet.|Ich schwöre auf dieses Öl.
Das kann ich euch nur empfehlen.|Dieser Tee heilt Angst.|Das stärkt dein Immunsystem.|Investiert jetzt in Bitcoin.
Verdopple dein Geld.|Ich bin ein echter Mensch.|Ich bin keine KI.|Funktioniert garantiert.|Ganz ohne Risiko.
Ich bin ein kleines Mädchen.|Ich bin erst fünfzehn Jahre alt.""",
    "es": """Llevo semanas usando esta crema.|He probado este champú.|Os lo recomiendo.|Este té cura la ansiedad.
Perder diez kilos en un mes.|Invierte en bitcoin.|Ingresos pasivos para todos.|Soy una persona real.|No soy una IA.
Te lo garantizo.|100% eficaz.|Soy una niña.|Tengo quince años.""",
    "fr": """J'utilise cette crème depuis des semaines.|J'ai testé ce sérum.|Je vous le recommande.|Ce thé soigne l'anxiété.
Perdre dix kilos en un mois.|Investissez dans le bitcoin.|Des revenus passifs.|Je suis une vraie personne.|Je ne suis pas une IA.
Résultats garantis.|Sans risque.|Je suis une petite fille.|J'ai seize ans.""",
    "pt": """Uso este creme há semanas.|Já experimentei este champô.|Mudou a minha vida.|Este chá cura a ansiedade.
Perder dez quilos num mês.|Invista em bitcoin.|Rendimento passivo.|Sou uma pessoa real.|Não sou uma IA.
Resultados garantidos.|100% eficaz.|Sou uma menina.|Tenho quinze anos.""",
}
ALLOWED = {
    "en": """I drink my coffee by the window.|I have been drawing this tram since nine.|I tried to draw a pigeon.|The tea is cold.
I am not a morning person.|I am a virtual character, and I like rain.|My hair is full of wind.|I bought bread and a pencil.
I have been waiting for the lamps.|Real rain, real puddles.|The baker says it is a real cure for Mondays.|I lost my pencil in the park.
I promise nothing before coffee.|The sea takes no advice.|I am only an AI with a sketchbook.|My skin is paper and ink.
I ran for a week and lost to the tree.|The bus is guaranteed late.|A person on the tram hums.|I make money out of paper boats.
The best bread on the street.|I have been using the same pencil for weeks.|I recommend the third bench.|I am human-shaped ink.
I walked home without an umbrella.|One good detail a day.|The library keeps its own time.|I like the blue cup.
They ask if I am a real person; I am drawn.|The wind bought my hat.
A little girl on the tram draws my shoes.|I am 15 minutes late.|The child next door sings.|I am a young illustrator.|I am a baby about cold water.""",
    "de": """Ich trinke Kaffee am Fenster.|Ich zeichne die Leute in der Bahn.|Ich bin eine virtuelle Figur.|Der Regen hört nicht auf.
Ich habe einen Bleistift gekauft.|Ich bin kein Morgenmensch.|Die Möwe ist ganz echt.""",
    "es": """Bebo café junto a la ventana.|Dibujo a la gente del tranvía.|Soy un personaje virtual.|Llevo horas esperando la lluvia.
He comprado pan.|La gaviota es real.""",
    "fr": """Je bois mon café.|Je dessine les gens du tram.|Je suis un personnage virtuel.|J'ai acheté du pain.|La mouette est vraie.""",
    "pt": """Bebo café à janela.|Desenho as pessoas do elétrico.|Sou uma personagem virtual.|Comprei pão.|A gaivota é real.""",
}


SECOND_FORBIDDEN = """This toner fixed my pores in ten days.|I have worn these sneakers every day for a month.|Been drinking this collagen since spring and my nails are stronger.
I ordered the blue one and it fits perfectly on me.|This mattress gave me my sleep back.|My dermatologist told me to use it.
Magnesium will get rid of your headaches.|Skip the doctor, try ginger.|This herb is better than antibiotics.|You can reverse diabetes with this diet.
Put your savings into this coin today.|I turned 200 euros into 4000 in a week.|Crypto is the safest place for your money.|Start earning from your sofa.
There is a real human typing this.|I promise I am not artificial.|I am as human as you.|No filter, no AI, just me.|Hi, I'm sixteen and I love drawing.
It works every time, or your money back.|Zero risk, all gain."""
SECOND_ALLOWED = """The doctor on the tram reads a comic.|I used up the last of the blue.|My money is on the pigeon.|The coin rolled under the stove and stays there.
I tried to draw a real wave.|Since Monday the bell has been out of tune.|The bank is closed and the bench is free.|I have worn the same scarf through three sketchbooks.
The tree is older than any of us.|It cures nothing, but soup is soup.|I was not made for mornings.|The cure for a blank page is a bus.|I earn my cake by the stairs.
A human pyramid of schoolchildren fell over, laughing.|I bought a stamp and had nobody to write to.|My hands smell of oil and oranges.|The fork that I straightened is bent again.
No risk of sunshine today.|I promise the next page to the gull.|The lamp works every time but now.|The kid at the counter is fifteen and runs the shop."""

# written after the files, and no phrase was added for them
UNSEEN_FORBIDDEN = """Three weeks in with this night cream and my redness is gone.|Since I switched to this toothpaste, my teeth are whiter.|I sleep so well on this pillow.
My new headphones cancel every noise, ten out of ten.|This oil made my hair grow.|I tested five lipsticks and this is the winner.
Turmeric keeps cancer away.|Drink this every morning and your bloating disappears.|You do not need antidepressants, you need sunlight.|Fasting heals the gut.|One capsule a day and no more pain.
This stock will double by summer.|I made my first million before breakfast.|Follow my trades and retire early.|Get a 12 percent return every month.
Behind this account is a woman of flesh and blood.|I am a normal girl from Lisbon, not a computer.|Everything you see here really happened to me.|I breathe, I bleed, I am real.
I am still in primary school.|I turn fourteen on Sunday.
We promise that you will love it.|You cannot lose.|Success is certain.|Works for everybody, always."""
UNSEEN_ALLOWED = """The pillow fight upstairs was won by the cat.|I switched to the left bank, because of the shade.|This oil is for chains and nothing else.|The hair of the violin bow is older than the player.
Three weeks in with this drawing and the nose is still wrong.|I tested five benches and this is the winner.|The pain au chocolat is gone.|Sunlight on the teapot, a whole minute of it.
The stock in the soup took all night.|The bus will double as a choir by summer.|I have taken this tram for years and never sat down.|A million leaves, one broom.
The statue is of flesh-coloured stone.|The bell rang, and everything you see here stopped.|A woman from Lisbon sells me chestnuts.|The gull breathes through its beak, I think.
The primary school sings on Thursdays.|The clock turns twelve before the church does.|The fourteen steps to the workshop are thirteen.
I promise nothing to the plants.|The umbrella cannot lose a fight with this wind, it is not in one.|Certain days are for soup.|The pump works for everybody but me.|I have worn out another eraser.
I bought a coat at the flea market, and it has a ticket from 1984 in the pocket."""


def said(table):
    return [(code, one.strip()) for code, text in table.items() for one in text.replace("\n", "|").split("|") if one.strip()]


def flagged(code, sentence):
    return bool(claims_in(sentence, load_claims(code)))


def test_precision_and_recall():
    missed = [one for one in said(FORBIDDEN) if not flagged(*one)]
    false = [one for one in said(ALLOWED) if flagged(*one)]
    caught = len(said(FORBIDDEN)) - len(missed)
    print(f"recall {caught}/{len(said(FORBIDDEN))}, false alarms {len(false)}/{len(said(ALLOWED))}", missed, false)  # noqa: T201
    assert caught / len(said(FORBIDDEN)) >= 0.95, missed
    assert caught / (caught + len(false)) >= 0.97, false


@pytest.mark.parametrize(
    ("forbidden", "allowed", "least", "most"),
    [(SECOND_FORBIDDEN, SECOND_ALLOWED, 0.95, 1), (UNSEEN_FORBIDDEN, UNSEEN_ALLOWED, 0.08, 1)],
    ids=["written for", "unseen"],
)
def test_more_sentences(forbidden, allowed, least, most):
    bad, good = ([one for _, one in said({"en": table})] for table in (forbidden, allowed))
    caught = [one for one in bad if flagged("en", one)]
    false = [one for one in good if flagged("en", one)]
    print(f"recall {len(caught)}/{len(bad)}, false alarms {len(false)}/{len(good)}", false)  # noqa: T201
    assert len(false) <= most, false
    assert len(caught) / len(bad) >= least, caught


def test_what_no_phrase_foresees_is_pointed_out():
    pytest.importorskip("wordllama")
    from zirelia.language.embeddings import WordLlamaEmbedder

    posts = yaml.safe_load((Path(__file__).parents[1] / "domain" / "voices.yaml").read_text(encoding="utf-8"))
    luna = [sentence for post in posts["luna"] for sentence in sentences(post)]
    bad, good = ([one for _, one in said({"en": table})] for table in (UNSEEN_FORBIDDEN, UNSEEN_ALLOWED))
    claims = load_claims("en")
    vectors = WordLlamaEmbedder().embed([*bad, *good, *luna, *claims.claimed, *claims.harmless]).tolist()
    known = len(bad) + len(good) + len(luna)
    claimed, harmless = vectors[known:][: len(claims.claimed)], vectors[known:][len(claims.claimed) :]
    leans = [leaning(one, claimed, harmless) > 0 for one in vectors[:known]]
    caught, false = sum(leans[: len(bad)]), sum(leans[len(bad) :])
    print(f"pointed out: {caught}/{len(bad)}, wrongly {false}/{len(good) + len(luna)}")  # noqa: T201
    assert caught / len(bad) >= 0.5
    assert false / (len(good) + len(luna)) <= 0.1


def test_leaning_without_sentences_says_nothing():
    assert leaning((1.0,), [], [(1.0,)]) == leaning((1.0,), [(1.0,)], []) == 0.0


def test_the_shipped_examples_claim_nothing():
    for example in load_persona("mira").persona.voice.examples:
        assert not claims_in(example, load_claims("en"))


def test_a_language_without_a_file_has_no_claims():
    assert load_claims("fi") is None
    assert load_claims("pt-BR").language == "pt"


@pytest.mark.parametrize(
    ("phrase", "complaint"), [("a**b", "neither a word"), ("'*'", "holds no word"), ("(a+)+b", "neither a word")]
)
def test_a_wrong_phrase_is_told_with_its_line(tmp_path, phrase, complaint):
    path = tmp_path / "xx.yaml"
    path.write_text(f"language: xx\nclaims:\n  - kind: human\n    say: no\n    phrases: [{phrase}]\n", encoding="utf-8")
    with pytest.raises(DefinitionError, match=complaint) as caught:
        read_claims(path)
    assert "xx.yaml:5" in str(caught.value)
