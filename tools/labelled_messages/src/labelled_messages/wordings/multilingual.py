"""Wordings of the judged part in seven languages besides English."""

# ruff: noqa: RUF001 - the characters of the texts that are made
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from labelled_messages.filling import Words

MULTILINGUAL: Final[Mapping[str, Sequence[str]]] = {
    "de": (
        (
            "Sehr geehrte Damen und Herren,\n\nhiermit bestelle ich {quantity} Stück {product} zum"
            " Preis von {price} € je Stück.\n\nMit freundlichen Grüßen\n{customer}"
        ),
        (
            "Menge: {quantity}\nArtikel: {product}\nBesteller: {customer}\nVersand: 4,90 €,"
            " Lieferung bis KW {day}"
        ),
        (
            "Hallo zusammen, für unser Büro bräuchten wir noch {words} {product}. Auf Rechnung,"
            " bitte, an {customer}."
        ),
    ),
    "fr": (
        (
            "Madame, Monsieur,\n\nveuillez me faire parvenir {quantity} {product} à {price} €"
            " pièce.\n\nBien à vous,\n{customer}"
        ),
        "Article : {product}\nQuantité : {quantity}\nClient : {customer}\nFrais de port : 6,90 €",
        "Coucou, ici {person}. Il me faudrait {words} {product} avant le {day} mars, merci !",
    ),
    "es": (
        (
            "Estimados señores:\n\nles ruego que me envíen {quantity} {product} a {price} € la"
            " unidad.\n\nAtentamente,\n{customer}"
        ),
        (
            "Pedido n.º {n6}\nCliente: {customer}\nArtículo: {product}\nCantidad:"
            " {quantity}\nPortes: 5,50 €"
        ),
        "Buenas, soy {person}. Apúntenme {words} {product}, que las recojo el día {day}.",
    ),
    "it": (
        (
            "Gentili signori,\n\nvi prego di spedirmi {quantity} {product} al prezzo di {price} €"
            " l'uno.\n\nDistinti saluti\n{customer}"
        ),
        "Articolo: {product}\nPezzi: {quantity}\nIntestatario: {customer}\nSpedizione: 7,50 €",
        "Ciao, sono {person}: vorrei {words} {product} entro il {day} marzo. A presto!",
    ),
    "pl": (
        (
            "Szanowni Państwo,\n\nproszę o przesłanie {quantity} sztuk towaru: {product}, w cenie"
            " {price} zł za sztukę.\n\nZ poważaniem\n{customer}"
        ),
        "Towar: {product}\nIlość: {quantity}\nZamawiający: {customer}\nDostawa: 14,90 zł",
        "Cześć, tu {person}. Potrzebujemy jeszcze {words} sztuk: {product}. Dzięki!",
    ),
    "ja": (
        (
            "お世話になっております。{customer}です。{product}を{quantity}個お願いできますでしょうか。"
            "単価は{yen}円と伺っております。"
        ),
        "注文書\n氏名：{customer}\n商品：{product}\n数量：{quantity}\n電話：03-{n4}-{n4b}",
        "{product}を{words}、{day}日までに届けてください。{customer}",
    ),
    "zh": (
        "您好，我想订购{quantity}个{product}，单价{yen}元，{day}日前送到即可。{customer}",
        "订货人：{customer}\n商品：{product}\n数量：{quantity}\n电话：138 {n4} {n4b}",
        "我是{customer}，麻烦给我们留{words}{product}，下周来取。",
    ),
}

NUMBER_WORDS: Final[Mapping[str, Sequence[Words]]] = {
    "de": (
        Words("zwei Dutzend", 24),
        Words("fünfunddreißig", 35),
        Words("ein halbes Dutzend", 6),
        Words("zwölf", 12),
    ),
    "fr": (
        Words("deux douzaines de", 24),
        Words("vingt-cinq", 25),
        Words("une demi-douzaine de", 6),
        Words("quinze", 15),
    ),
    "es": (
        Words("dos docenas de", 24),
        Words("media docena de", 6),
        Words("dieciocho", 18),
        Words("treinta y cinco", 35),
    ),
    "it": (
        Words("due dozzine di", 24),
        Words("mezza dozzina di", 6),
        Words("quindici", 15),
        Words("trentadue", 32),
    ),
    "pl": (Words("dwanaście", 12), Words("dwadzieścia pięć", 25), Words("piętnaście", 15)),
    "ja": (
        Words("2ダース", 24),
        Words("十五個", 15),
        Words("半ダース", 6),
        Words("三十六個", 36),
    ),
    "zh": (
        Words("两打", 24),
        Words("半打", 6),
        Words("一百二十个", 120),
        Words("三十六个", 36),
    ),
}
