"""Names, firms and goods of the training texts; none of them is one of the set's or the shop's."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple


class _Names(NamedTuple):
    given: Sequence[str]
    family: Sequence[str]
    family_first: str | None = None  # what stands between, where the family name comes first


def _names(given: str, family: str, family_first: str | None = None) -> _Names:
    return _Names(given.split(), family.split(), family_first)


_NAMES: Final[Mapping[str, _Names]] = {
    "en": _names(
        "James Emma Noah Charlotte Liam Amelia Henry Alice Jack Sophie George Lily Edward"
        " Holly Peter Rachel Simon Claire Dylan Megan Callum Bethany Rhys Siobhan Eoin Tamsin"
        " Wes Brooke Tyler Kayla Dev Anjali Kofi Abena Farah Bilal Wanjiru Thabo Mei Hiro Ewa"
        " Ivan Olga Petra Lars Oscar Isla Freya Poppy Arthur Gareth Moira Declan Niamh Hamish"
        " Ailsa Owen Carys Denise Curtis Latoya Darnell Monique Terrence Gloria Trevor Maureen"
        " Walter Harriet Stanley Sanjay Meera Imran Zainab Chidi Esi Tendai Zola Jin Soo-jin"
        " Minh Linh Arjun Nasrin",
        "Smith Jones Taylor Brown Walker Wright Hughes Green Carter Mitchell Turner Collins"
        " Parker Bennett Murphy Kelly O'Neill McCarthy Stewart Campbell Fisher Barnes Chapman"
        " Lowe Shaw Hudson Payne Doyle Bishop Frost Kapoor Desai Osei Boateng Kamau Dlamini"
        " Rahman Qureshi Ito Larsen Novak Petrov Lindgren Van_Dyke Saint-Clair Jackson Harris"
        " Robinson Edwards Morris Bell Baker Cook Bailey Cooper Ward Foster Gray Howard Marsh"
        " Nash Pike Quinn Reeve Sharpe Tate Underwood Vaughan Webb York Blackwood Fairfax"
        " Hollis Kingsley Lockwood Mercer Norwood Pemberly Radcliffe Sutcliffe Thackeray"
        " Wainwright Chowdhury Menon Nkosi Otieno Tran Hassan Farouk Andersson Virtanen"
        " Papadopoulos",
    ),
    "de": _names(
        "Hans Sabine Klaus Petra Stefan Ursula Tobias Annika Florian Greta Moritz Lena Jörg"
        " Birgit Sven Wiebke Rüdiger Gisela Till Katrin Heinz Renate Dieter Elke Silke Holger"
        " Anja Markus Sonja Kai Meike Bernd Ilse Lutz Frauke Götz Bärbel",
        "Schmidt Fischer Weber Wagner Becker Schulz Hoffmann Koch Richter Klein Wolf Neumann"
        " Schwarz Krüger Hartmann Böhm Lange Winkler Graf Seidel Jäger von_Hagen Bauer"
        " Schröder Zimmermann Braun Krause Lehmann Huber Mayer Herrmann König Walter Peters"
        " Möller Scholz Pohl Busch Horn Sauer Arnold Ziegler Lindemann Thiele",
    ),
    "fr": _names(
        "Pierre Camille Julien Manon Antoine Léa Nicolas Sylvie Guillaume Océane Étienne"
        " Margaux Bastien Aurélie Yves Solène Jean-Luc Anne-Marie Luc Thierry Nathalie Romain"
        " Maxime Brigitte Quentin Justine Gilles Corinne Alain Jeanne Loïc",
        "Martin Bernard Petit Durand Leroy Simon Laurent Michel Garnier Faure Girard Mercier"
        " Blanc Guérin Perrin Barbier Renaud Lemoine de_Villiers Robert Richard Fournier Morel"
        " André Roux Vincent Chevalier Robin Masson Marchand Dumas Lacroix Brun Gauthier Noël"
        " Meunier",
    ),
    "es": _names(
        "Carlos María Javier Carmen Miguel Pilar Álvaro Rocío Diego Elena Pablo Teresa Hugo"
        " Marta Jorge Nuria Iker Consuelo Antonio Isabel Manuel Francisco Cristina Rafael"
        " Beatriz Adrián Silvia Óscar Raquel Gonzalo Inmaculada Yolanda",
        "Fernández López Sánchez Gómez Díaz Moreno Álvarez Romero Navarro Torres Domínguez"
        " Vázquez Serrano Molina Delgado Herrera Campos Pérez Martínez Jiménez Ruiz Hernández"
        " Alonso Gutiérrez Ramos Blanco Suárez Castro Rubio Ortiz Marín Iglesias Cano Vidal",
    ),
    "it": _names(
        "Marco Francesca Luca Valentina Andrea Federica Paolo Silvia Giorgio Martina Enrico"
        " Serena Stefano Alessia Bruno Rosa Antonio Elisa Fabio Lorenzo Laura Michele Paola"
        " Riccardo Sara Simone Teresa Vincenzo",
        "Rossi Russo Ferrari Romano Colombo Ricci Marino Greco Conti Costa Giordano Mancini"
        " Lombardi Barbieri Fontana Santoro De_Santis Bruno Gallo Rizzo Leone Longo Gentile"
        " Martinelli Vitale Serra Coppola Caruso Ferrara Villa Marchetti Parisi Sala",
    ),
    "pl": _names(
        "Piotr Hanna Krzysztof Katarzyna Tomasz Joanna Marcin Magdalena Wojciech Beata"
        " Grzegorz Aleksandra Jakub Urszula Stanisław Dorota Adam Andrzej Barbara Ewelina"
        " Michał Monika Rafał Natalia Zbigniew Grażyna Iwona Mateusz",
        "Nowak Wójcik Kamiński Lewandowska Zieliński Szymańska Woźniak Kozłowska Mazur"
        " Krawczyk Piotrowski Grabowska Pawlak Michalska Górski Kowalska Jankowski"
        " Wojciechowska Kwiatkowski Kaczmarek Pawłowska Król Wieczorek Wróbel Stępień Adamczyk"
        " Dudek Nowicka Sikorska Walczak Baran",
    ),
    "ja": _names(
        "翔太 葵 拓也 さくら 直樹 由美 和也 恵子 悠斗 真理子 亮"
        " 千夏 愛 隆 久美子 誠 智子 蓮 陽子 修 明美 浩 麻衣",
        "田中 伊藤 山本 中村 小林 加藤 吉田 山田 松本 井上 木村 林 佐々木 清水"
        " 森 池田 橋本 阿部 石井 岡田 後藤 長谷川 村上 近藤 坂本 遠藤 青木 藤井",
        " ",
    ),
    "zh": _names(
        "敏 静 强 磊 洋 艳 勇 杰 娟 涛 明 超 晓明 雨欣"
        " 建国 文博 丽 军 红 波 刚 平 辉 玲 桂英 子涵 浩然 思远 梦琪",
        "赵 黄 周 吴 徐 孙 胡 朱 高 何 郭 马 罗 梁 宋 郑 谢 韩 唐 冯 于 董 萧 程 曹 袁 邓 许",
        "",
    ),
}
_FIRM_WORDS: Final[Mapping[str, tuple[Sequence[str], Sequence[str]]]] = {
    "en": (
        (
            *("Bluebird", "Northgate", "Silver Oak", "Maple Leaf", "Red Brick", "Oakfield"),
            *("Pioneer", "Sunnyside", "Castle Hill", "Brightwater", "Fox & Hare", "Elmwood"),
            *("Corner", "Summit", "Lakeview", "Old Mill", "Harlow", "Ironbridge", "Meadow"),
            *("Quayside", "Two Rivers", "Wren", "The Blue Lantern", "St. Agnes", "Harbourside"),
            *("Hillcrest", "Green Lane", "Owl Street", "Thistle", "The Village", "Beacon"),
            *("Kestrel", "Lavender", "Orchard", "Station Road"),
        ),
        (
            *("Café", "Ltd", "Nursery", "Guest House", "Inc.", "Dental", "Architects"),
            *("Catering", "Gym", "Veterinary Clinic", "Brewery", "& Co", "Florists", "Events"),
            *("Consulting", "Primary", "Hair Salon", "LLC", "Community Centre", "Motors"),
            *("Design Studio", "B&B", "Library", "Rowing Club", "Garden Centre", "Church"),
            *("School", "Theatre", "Bookshop", "Tea Garden", "Pharmacy", "Allotments"),
            *("Scout Group", "Hostel", "Partners", "plc", "Bakehouse", "Kindergarten"),
        ),
    ),
    "de": (
        (
            *("Sonnenhof", "Rheinblick", "Adler", "Fischer", "Weber", "Waldeck", "Hansa"),
            *("Alpenrose", "Praxis", "Kita", "Zur Post", "Schulz", "Goldener Hirsch"),
            *("Stadtwerk", "Musikverein", "Lindenhof"),
        ),
        (
            *("GmbH", "AG", "KG", "Café", "Apotheke", "Catering", "& Söhne", "e.K."),
            *("Tischlerei", "Bibliothek", "Gasthaus", "Verein e.V.", "Grundschule", "Weingut"),
            *("Bau", "Gärtnerei", "Zahnärzte"),
        ),
    ),
    "fr": (
        (
            *("Maison Petit", "Le Vieux Port", "Bernard", "Les Tilleuls", "Garnier"),
            *("La Rotonde", "Mairie", "La Grange", "Le Phare", "École", "Moulin", "Domaine"),
            *("Librairie", "Chez Paul"),
        ),
        (
            *("SARL", "SAS", "& Fils", "Traiteur", "Boulangerie", "Conseil", "Restaurant"),
            *("Saint-Just", "du Lac", "Hôtel", "Association", "EURL", "Café", "des Arts"),
            *("Fleurs",),
        ),
    ),
    "es": (
        (
            *("El Olivo", "Casa Torres", "Moreno", "La Plaza", "Costa Azul", "Navarro"),
            *("San Telmo", "Bar", "Colegio", "El Faro", "La Encina", "Ayuntamiento", "Taller"),
            *("Bodega", "Finca"),
        ),
        (
            *("S.A.", "S.L.", "Hermanos", "Restaurante", "Eventos", "Papelería", "Hostal"),
            *("Santa Ana", "del Mar", "Café", "Asociación", "y Cía.", "Flores", "Panadería"),
            *("Cultural",),
        ),
    ),
    "it": (
        (
            *("Il Cortile", "Rossi", "La Pineta", "Colombo", "Fontana", "Belvedere", "San Marco"),
            *("Bar", "Scuola", "Il Faro", "La Quercia", "Comune", "Officina", "Cantina"),
            *("Agriturismo",),
        ),
        (
            *("S.p.A.", "S.n.c.", "& Figli", "Ristorante", "Farmacia", "Eventi", "Pasticceria"),
            *("Sant'Anna", "del Mare", "Caffè", "Associazione", "S.r.l.s.", "Fiori", "Panificio"),
            *("Culturale",),
        ),
    ),
    "pl": (
        (
            *("Zielona", "Nowak", "Karczma", "Wisła", "Mazur", "Stary Młyn", "Baltic", "Szkoła"),
            *("Urząd", "Pod Dębem", "Latarnia", "Warsztat", "Piekarnia", "Zajazd", "Kwiaty"),
        ),
        (
            *("S.A.", "sp. j.", "Catering", "Apteka", "Usługi", "Restauracja", "Hotel"),
            *("Miejska", "nad Jeziorem", "Kawiarnia", "Stowarzyszenie", "Ogrody", "Sp.k."),
            *("Centrum", "Rodzinna"),
        ),
    ),
    "ja": (
        (
            *(
                "さくら",
                "東山",
                "ひかり",
                "北斗",
                "みどり",
                "海風",
                "山の手",
                "若葉",
                "梅屋",
                "星野",
                "つばめ",
                "白樺",
            ),
        ),
        (
            *(
                "商店",
                "株式会社",
                "食堂",
                "歯科",
                "デザイン",
                "ホテル",
                "書店",
                "工業",
                "幼稚園",
                "旅館",
                "花店",
                "事務所",
            ),
            *("病院",),
        ),
    ),
    "zh": (
        (
            *(
                "红叶",
                "东方",
                "蓝天",
                "金桥",
                "绿洲",
                "长城",
                "永兴",
                "和平",
                "春风",
                "福满",
                "天成",
                "海蓝",
            ),
        ),
        (
            *(
                "餐厅",
                "有限公司",
                "超市",
                "酒楼",
                "设计",
                "诊所",
                "书城",
                "学校",
                "茶庄",
                "花店",
                "工厂",
                "酒店",
                "药房",
            ),
        ),
    ),
}


_TITLES: Final[Mapping[str, Sequence[str]]] = {
    "en": ("Mrs", "Mr", "Ms", "Dr", "Mr.", "Prof.", "Miss", "Rev.", "Captain"),
    "de": ("Frau", "Herr", "Dr.", "Familie", "Prof.", "Fr."),
    "fr": ("Mme", "M.", "Dr", "Famille", "Mlle", "Me"),
    "es": ("Sra.", "Sr.", "Dra.", "Familia", "Don", "Srta."),
    "it": ("Sig.ra", "Sig.", "Dott.", "Famiglia", "Dott.ssa", "Avv."),
    "pl": ("Pani", "Pan", "dr", "Państwo", "mgr"),
    "ja": ("家", "(経理)", "先生"),
    "zh": ("先生", "女士", "老师", "小姐"),
}
"""Before a family name; behind it in Japanese and Chinese."""
ROLES: Final[Mapping[str, Sequence[str]]] = {
    "en": ("Office manager", "Purchasing", "Owner", "Head of catering", "Treasurer", "Teacher"),
    "de": ("Einkauf", "Hausmeister", "Leitung", "Sekretariat", "Küchenchef"),
    "fr": ("Service achats", "Directrice", "Accueil", "Trésorier"),
    "es": ("Compras", "Directora", "Recepción", "Encargado"),
    "it": ("Ufficio acquisti", "Direttrice", "Segreteria", "Titolare"),
    "pl": ("Dział zakupów", "Kierownik", "Sekretariat", "Właścicielka"),
    "ja": ("購買部", "店長", "総務課"),
    "zh": ("采购部", "店长", "行政部"),
}
"""What somebody signs as, besides the name."""


def person(rng: random.Random, language: str) -> str:
    """A name as its bearer signs: in full, or short."""
    names = _NAMES[language]
    given, family = (rng.choice(part).replace("_", " ") for part in (names.given, names.family))
    style = rng.random()
    if names.family_first is not None:
        if style < 0.7:
            return f"{family}{names.family_first}{given}"
        return f"{family}{rng.choice(_TITLES[language])}" if style < 0.8 else family
    if style < 0.6:
        return f"{given} {family}"
    if style < 0.74:
        return given
    if style < 0.79:
        return f"{given[0]}. {family}"
    if style < 0.82:
        return f"{given} {family[0]}."
    if style < 0.9:
        return f"{rng.choice(_TITLES[language])} {family}"
    if style < 0.95:
        return rng.choice((f"{given} {family}", given)).lower()
    return f"{given} {rng.choice(names.family).replace('_', ' ')}-{family}"


def firm(rng: random.Random, language: str) -> str:
    """The name of a company."""
    first, second = (rng.choice(words) for words in _FIRM_WORDS[language])
    if language in {"ja", "zh"}:
        return f"{first}{second}"
    return f"{first} {second}" if rng.random() < 0.85 else f"{second} {first}"


_KINDS: Final[Mapping[str, Sequence[str]]] = {
    "en": (
        *("blue", "large", "small", "white", "stainless steel", "recycled", "ceramic", "black"),
        *("leather", "canvas", "heavy-duty", "insulated", "bamboo", "plastic", "striped", "matte"),
        *("children's", "copper", "transparent", "double-sided", "woollen", "antique", "spare"),
        *("red", "olive", "stackable", "extra long", "A4", "glass", "tall", "rubber", "velvet"),
        *("foldable", "wooden", "enamel", "vintage", "round", "square", "cordless", "waterproof"),
        *("handmade", "scented", "knitted", "solar", "mini", "travel", "washable", "yellow"),
        *("pink", "grey", "thick", "marble", "brass", "oak", "linen", "fleece", "LED", "steel"),
    ),
    "de": (
        *("", "blaue", "große", "kleine", "weiße", "schwarze", "stapelbare", "runde", "grüne"),
        *("rote", "kleinere", "faltbare", "handgemachte", "robuste", "dünne", "bunte"),
        *("gebrauchte",),
    ),
    "fr": ("", "petites", "grandes", "jolies", "vieilles", "belles", "grosses", "mini"),
    "es": ("", "pequeñas", "grandes", "nuevas", "viejas", "bonitas", "mini"),
    "it": ("", "piccole", "grandi", "nuove", "vecchie", "belle", "mini"),
    "pl": (
        *("", "duży", "mały", "niebieski", "czerwony", "zielony", "składany", "drewniany"),
        *("okrągły", "stary"),
    ),
    "ja": (
        *(
            "",
            "白い",
            "大きい",
            "青い",
            "木製の",
            "赤い",
            "小さい",
            "丸い",
            "折りたたみ",
            "ガラスの",
            "黒い",
        ),
    ),
    "zh": (
        *(
            "",
            "白色",
            "大号",
            "蓝色",
            "不锈钢",
            "红色",
            "小号",
            "圆形",
            "折叠",
            "木制",
            "玻璃",
            "黑色",
            "儿童",
        ),
    ),
}
_GOODS: Final[Mapping[str, Sequence[str]]] = {
    "en": (
        *("mug", "plate", "teapot", "apron", "clipboard", "stapler", "vase", "curtain", "bucket"),
        *("broom", "hammer", "screwdriver", "backpack", "umbrella", "bath towel", "bathrobe"),
        *("doormat", "coat hanger", "wine glass", "corkscrew", "thermos flask", "cutting board"),
        *("salad bowl", "tea towel", "oven glove", "whisk", "rolling pin", "webcam", "headset"),
        *("charging cable", "power strip", "printer cartridge", "label maker", "whiteboard"),
        *("marker", "ring binder", "desk pad", "filing tray", "wall clock", "picture frame"),
        *("plant pot", "watering can", "rake", "shovel", "wheelbarrow", "tool box", "paint roller"),
        *("paint tin", "door handle", "smoke alarm", "fire extinguisher", "first aid kit", "tent"),
        *("sleeping bag", "camping stove", "yoga mat", "dumbbell", "football", "skipping rope"),
        *("cushion", "side table", "wardrobe", "headboard", "coat rack", "laundry basket"),
        *("napkin",),
        *("serving tray", "cake stand", "jam jar", "coffee grinder", "egg timer", "trivet"),
        *("torch",),
        *("battery", "extension lead", "monitor arm", "tablet case", "phone charger", "envelope"),
        *("roll of tape", "box of screws", "pack of napkins", "bag of compost", "bottle of soap"),
        *("ream of paper", "set of coasters", "tin of varnish", "crate of apples", "gift card"),
        *("beanbag", "ashtray", "bookend", "chopping board", "clothes peg", "crayon"),
        *("deckchair", "dishcloth", "drill", "easel", "flask", "glove"),
        *("hairbrush", "hammock", "hot water bottle", "ironing board", "jug", "kettle", "ladle"),
        *("lampshade", "lunch box", "mop", "mousetrap", "padlock", "parasol", "peeler"),
        *("photo album", "puzzle", "ruler", "sandal", "scarf", "sieve", "soap dish"),
        *("spirit level", "sponge", "suitcase", "teaspoon", "thermometer", "toothbrush"),
        *("trellis", "tweezer", "vinyl record", "wheel", "whistle", "wok", "wreath"),
        *("pair of gloves", "sack of potatoes", "jar of honey", "bar of soap"),
        *("sheet of plywood", "tub of paint", "packet of seeds", "spool of thread", "canvas bag"),
        *("birthday card", "sun hat", "dog lead", "cat bed", "fish tank", "bird table"),
        *("pond pump", "hanging basket", "log basket"),
    ),
    "de": (
        *("Tassen", "Teller", "Handtücher", "Schürzen", "Regenschirme", "Rucksäcke", "Ordner"),
        *("Vasen", "Eimer", "Besen", "Kerzen", "Weingläser", "Fußmatten", "Bilderrahmen"),
        *("Taschenlampen", "Schraubendreher", "Blumentöpfe", "Tischdecken", "Bürostühle"),
        *("Wasserkocher", "Lampenschirme", "Topflappen", "Gießkannen", "Hocker", "Spiegel"),
        *("Koffer", "Zollstöcke", "Pinsel", "Backformen", "Brotkörbe", "Kehrschaufeln"),
        *("Luftpumpen", "Mausefallen", "Nähkästen", "Postkarten", "Salzstreuer", "Schneebesen"),
        *("Sonnenhüte", "Thermoskannen", "Türstopper", "Wäscheklammern", "Zahnbürsten"),
        *("Liegestühle", "Pflanzkübel", "Spielkarten", "Stehtische", "Klappräder"),
    ),
    "fr": (
        *("tasses", "assiettes", "serviettes de bain", "parapluies", "sacs à dos", "classeurs"),
        *("vases", "seaux", "balais", "bougies", "verres à vin", "paillassons", "nappes"),
        *("horloges", "tabliers", "pots de fleurs", "tabourets"),
        *("bouilloires", "tabliers de cuisine", "arrosoirs en zinc", "miroirs", "valises"),
        *("pinceaux", "corbeilles à pain", "pelles", "pièges à souris", "cartes postales"),
        *("salières", "fouets", "chapeaux de paille", "thermos", "pinces à linge"),
        *("brosses à dents", "transats", "jardinières", "jeux de cartes", "bougeoirs"),
        *("paniers à linge", "planches à découper", "saladiers", "torches", "verres à eau"),
    ),
    "es": (
        *("tazas", "platos", "toallas", "paraguas", "mochilas", "carpetas", "jarrones", "cubos"),
        *("escobas", "velas", "copas de vino", "felpudos", "manteles", "relojes", "delantales"),
        *("macetas", "taburetes"),
        *("hervidores", "regaderas", "espejos", "maletas", "pinceles", "cestas de pan", "palas"),
        *("ratoneras", "postales", "saleros", "batidores", "sombreros", "termos"),
        *("pinzas de ropa", "cepillos de dientes", "tumbonas", "jardineras", "barajas"),
        *("candelabros", "tablas de cortar", "ensaladeras", "linternas", "vasos de agua"),
        *("llaveros", "perchas", "alfombras"),
    ),
    "it": (
        *("tazze", "piatti", "asciugamani", "ombrelli", "zaini", "raccoglitori", "vasi", "secchi"),
        *("scope", "candele", "calici da vino", "zerbini", "tovaglie", "orologi", "grembiuli"),
        *("sgabelli", "cornici"),
        *("bollitori", "annaffiatoi", "specchi", "valigie", "pennelli", "cestini per il pane"),
        *("pale", "trappole per topi", "cartoline", "saliere", "fruste", "cappelli", "thermos"),
        *("mollette", "spazzolini", "sdraio", "fioriere", "mazzi di carte", "candelabri"),
        *("taglieri grandi", "insalatiere", "torce", "bicchieri da acqua", "portachiavi"),
        *("grucce", "tappeti"),
    ),
    "pl": (
        *("kubek", "talerz", "ręcznik", "parasol", "plecak", "segregator", "wazon", "wiadro"),
        *("miotła", "świeca", "kieliszek do wina", "wycieraczka", "obrus", "zegar ścienny"),
        *("fartuch", "doniczka", "taboret"),
        *("czajnik", "konewka", "lustro", "walizka", "pędzel", "koszyk na chleb", "łopata"),
        *("pułapka na myszy", "pocztówka", "solniczka", "trzepaczka", "kapelusz", "termos"),
        *("klamerka", "szczoteczka do zębów", "leżak", "skrzynka balkonowa", "talia kart"),
        *("świecznik", "deska kuchenna", "salaterka", "latarka", "szklanka", "brelok", "wieszak"),
        *("dywanik",),
    ),
    "ja": (
        *("マグカップ", "皿", "タオル", "傘", "リュック", "ファイル", "花瓶", "バケツ", "ほうき"),
        *("ろうそく", "ワイングラス", "玄関マット", "テーブルクロス", "掛け時計", "エプロン"),
        "植木鉢",
        *(
            "やかん",
            "じょうろ",
            "鏡",
            "スーツケース",
            "絵筆",
            "パン籠",
            "シャベル",
            "絵葉書",
            "塩入れ",
            "泡立て器",
            "麦わら帽子",
            "水筒",
        ),
        *(
            "洗濯ばさみ",
            "歯ブラシ",
            "デッキチェア",
            "トランプ",
            "燭台",
            "サラダボウル",
            "懐中電灯",
            "ハンガー",
            "茶碗",
            "箸置き",
            "風呂敷",
        ),
        *("植木ばさみ", "定規"),
    ),
    "zh": (
        *("杯子", "盘子", "毛巾", "雨伞", "背包", "文件夹", "花瓶", "水桶", "扫帚", "蜡烛"),
        *("红酒杯", "地垫", "桌布", "挂钟", "围裙", "花盆"),
        *(
            "水壶",
            "喷壶",
            "镜子",
            "行李箱",
            "画笔",
            "面包篮",
            "铲子",
            "明信片",
            "盐罐",
            "打蛋器",
            "草帽",
            "保温瓶",
            "衣夹",
        ),
        *(
            "牙刷",
            "躺椅",
            "扑克牌",
            "烛台",
            "沙拉碗",
            "手电筒",
            "衣架",
            "茶碗",
            "筷子",
            "砧板",
            "尺子",
            "台灯罩",
            "玩具熊",
        ),
    ),
}
_SIZES: Final[Mapping[str, Sequence[str]]] = {
    "en": (
        *("30 cm", "1.5 l", "2 m", "XL", "size M", "no. 4", "12 V", "500 ml", "40x60", "A3"),
        *("3 kg",),
        *("Mk II", "T20", "with lid", "for indoors", "6-pack", "24 inch", "type B", "0.75 l"),
        *("(60 cm)", "(pack of 3)", "in green", "made of oak", "for children", "2.2 l"),
        *("10 inch", "(large)", "5 m", "A6", "100 W", "with handle", "without lid", "size 42"),
        *("No. 7",),
    ),
    "de": (
        *("30 cm", "1,5 l", "2 m", "aus Holz", "mit Deckel", "A4", "Gr. M", "aus Leinen"),
        *("aus Glas", "(40 cm)", "für Kinder", "0,5 l", "mit Griff", "in Blau", "A6", "2,5 kg"),
        *("10 W", "rund", "mit Streifen", "aus recyceltem Papier"),
    ),
    "fr": (
        *("30 cm", "1,5 l", "en bois", "avec couvercle", "A4", "bleus", "en lin", "en verre"),
        *("(40 cm)", "pour enfants", "0,5 l", "à rayures", "en bleu", "A6", "de 2,5 kg", "10 W"),
        *("ronds", "en coton bio", "de jardin"),
    ),
    "es": (
        *("30 cm", "1,5 l", "de madera", "con tapa", "A4", "de lino", "de cristal", "(40 cm)"),
        *("para niños", "0,5 l", "de rayas", "en azul", "A6", "de 2,5 kg", "10 W", "de algodón"),
        *("de jardín", "de 1,2 m"),
    ),
    "it": (
        *("30 cm", "1,5 l", "in legno", "con coperchio", "A4", "di lino", "di vetro", "(40 cm)"),
        *("per bambini", "da 0,5 l", "a righe", "in blu", "A6", "da 2,5 kg", "10 W", "di cotone"),
        *("da giardino", "da 1,2 m"),
    ),
    "pl": (
        *("30 cm", "1,5 l", "z drewna", "z pokrywką", "A4", "z lnu", "ze szkła", "(40 cm)"),
        *("dla dzieci", "0,5 l", "w paski", "w kratę", "A6", "2,5 kg", "10 W", "z bawełny"),
        *("do ogrodu", "z uchwytem"),
    ),
    "ja": ("30cm", "1.5L", "A4", "Lサイズ", "(40cm)", "A6", "500ml", "Mサイズ", "青", "2kg"),
    "zh": ("30厘米", "1.5升", "A4", "L号", "40厘米", "A6", "500毫升", "M号", "2公斤", "10瓦"),
}
_COLOURS: Final = (
    *("sand", "navy", "off-white", "natural", "anthracite", "rose", "teal", "set of 4", "medium"),
    *("coarse", "matt black", "brushed steel", "ruled", "soft", "unscented", "walnut", "wide"),
    *("for two", "extra strong", "light grey", "cream"),
)


class Good(NamedTuple):
    """A product in words: as it is ordered, and as somebody says it again."""

    text: str
    again: str


def good(rng: random.Random, language: str, count: int | None) -> Good:
    """Something to buy, `count` of it (None: some)."""
    thing, kind = rng.choice(_GOODS[language]), rng.choice(_KINDS[language])
    style = rng.random()
    if language != "en":
        words = [
            kind if style < 0.35 else "",
            thing,
            rng.choice(_SIZES[language]) if style > 0.6 else "",
        ]
        between = "" if language in {"ja", "zh"} else " "
        text = between.join(word for word in words if word)
        return Good(text, thing)
    several = count != 1 and (style < 0.65 or rng.random() < 0.2)
    noun = plural(thing) if several else thing
    if style < 0.2:
        text = noun
    elif style < 0.65:
        text = f"{kind} {noun}"
    elif style < 0.8:
        text = f"{noun} {rng.choice(_SIZES['en'])}"
    elif style < 0.9:
        text = f"{kind} {noun} {rng.choice(_SIZES['en'])}"
    else:
        text = f"{noun}, {rng.choice(_COLOURS)}"
    if style >= 0.65 and rng.random() < 0.7:
        text = text[0].upper() + text[1:] if rng.random() < 0.3 else _title(text)
    return Good(text, plural(thing))


def _title(text: str) -> str:
    return " ".join(word[0].upper() + word[1:] for word in text.split(" "))


def plural(thing: str) -> str:
    """Of the first noun: rolls of tape, mugs."""
    head, of, rest = thing.partition(" of ")
    if head.endswith(("s", "x", "ch", "sh")):
        head += "es"
    elif head.endswith("y") and head[-2] not in "aeiou":
        head = f"{head[:-1]}ies"
    else:
        head += "s"
    return f"{head}{of}{rest}"


def goods() -> list[str]:
    """Every thing on the lists, in all languages."""
    return [thing for things in _GOODS.values() for thing in things]


def names() -> list[str]:
    """Every given and family name, in all languages."""
    return [
        name.replace("_", " ")
        for listed in _NAMES.values()
        for name in (*listed.given, *listed.family)
    ]


def firms() -> list[str]:
    """Every firm that can be made."""
    return [
        f"{first}{'' if language in {'ja', 'zh'} else ' '}{second}"
        for language, (firsts, seconds) in _FIRM_WORDS.items()
        for first in firsts
        for second in seconds
    ]
