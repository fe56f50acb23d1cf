"""Champions and items of simulated League of Legends matches, and the Data Dragon documents that list them.

Ids, names, prices and recipes are those of patch 13.15; every champion here has five ranks of Q, W and E and three of
R. Which items a champion builds is a list of the class it belongs to, in the order in which they are usual.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

Kind = Literal["core", "boots", "starter", "component", "consumable", "trinket", "quest"]
POSITIONS = ("TOP", "JUNGLE", "MIDDLE", "BOTTOM", "UTILITY")


@dataclass(frozen=True, slots=True)
class Item:
    """One item.

    Attributes:
        recipe: components it is combined from.
        is_mythic: whether a participant has at most one of them.
        transformed_from: item that turns into this one by itself; 0 for what is bought.
    """

    item_id: int
    name: str
    name_ko: str
    gold_total: int
    recipe: tuple[int, ...]
    kind: Kind
    is_mythic: bool
    transformed_from: int
    tags: tuple[str, ...]

    @property
    def gold_sell(self) -> int:
        """Gold it is sold for."""
        share = 40 if self.kind in ("starter", "consumable", "quest") else 70
        return (self.gold_total * share + 50) // 100


@dataclass(frozen=True, slots=True)
class Champion:
    """One champion.

    Attributes:
        key: what match objects call it.
        position: where it is played unless the plan says otherwise.
        build: class it belongs to, a key of `BUILDS`.
        max_order: the usual order in which Q, W and E reach their highest ranks.
    """

    champion_id: int
    key: str
    name: str
    name_ko: str
    position: str
    build: str
    max_order: str


_ITEMS = """
3031|Infinity Edge|무한의 대검|3400|1038 1037 1018|mythic|Damage CriticalStrike
6671|Galeforce|돌풍|3400|1038 3086 1036|mythic|Damage CriticalStrike AttackSpeed Active
6672|Kraken Slayer|크라켄 학살자|3000|6670 1018 1043|core|Damage CriticalStrike AttackSpeed
3087|Statikk Shiv|스태틱의 단검|3000|6670 1018 2015|core|Damage CriticalStrike AttackSpeed OnHit
3094|Rapid Firecannon|고속 연사포|3000|1036 3086 2015|core|Damage CriticalStrike AttackSpeed
3046|Phantom Dancer|유령 무희|2800|3051 3086|core|Damage CriticalStrike AttackSpeed
3072|Bloodthirster|피바라기|3400|1038 1018 1053|core|Damage CriticalStrike LifeSteal
3036|Lord Dominik's Regards|도미닉 경의 인사|3000|3035 1018|core|Damage CriticalStrike ArmorPenetration
3153|Blade of The Ruined King|몰락한 왕의 검|3300|1053 1043 1037|core|Damage AttackSpeed LifeSteal
6676|The Collector|징수의 총|3000|3134 1037 1018|core|Damage CriticalStrike ArmorPenetration
3078|Trinity Force|삼위일체|3333|3057 3051 3067|mythic|Health Damage AttackSpeed AbilityHaste
3004|Manamune|마나무네|2900|3070 3133 1036|core|Damage Mana AbilityHaste
3042|Muramana|무라마나|3000|<3004|core|Damage Mana ArmorPenetration
3508|Essence Reaver|정수 약탈자|2900|3057 3133 1018|core|Damage CriticalStrike ManaRegen AbilityHaste
6694|Serylda's Grudge|세릴다의 원한|3200|3133 3035|core|Damage ArmorPenetration AbilityHaste
3161|Spear Of Shojin|쇼진의 창|3300|3133 1038 3067|core|Health Damage AbilityHaste
6632|Divine Sunderer|신성한 파괴자|3300|3133 3057 3067|mythic|Health Damage AbilityHaste
3071|Black Cleaver|칠흑의 양날 도끼|3100|3133 3067 1036|core|Health Damage AbilityHaste ArmorPenetration
3053|Sterak's Gage|스테락의 도전|3000|1037 3044 1028|core|Health Damage Tenacity
6333|Death's Dance|죽음의 무도|3300|1037 1031 3133|core|Armor Damage AbilityHaste
3074|Ravenous Hydra|굶주린 히드라|3400|3077 1053 3133|core|Damage LifeSteal AbilityHaste
6665|Jak'Sho, The Protean|해신 작쇼|3200|3105 3067 1028|mythic|Health SpellBlock Armor AbilityHaste
3084|Heartsteel|강철심장|3200|1011 3067 3801|mythic|Health HealthRegen AbilityHaste
3068|Sunfire Aegis|태양불꽃 방패|2700|6660 1031|core|Health Armor Aura
3075|Thornmail|가시 갑옷|2700|3076 1011|core|Health Armor
3065|Spirit Visage|정령의 형상|2900|3211 3067|core|Health SpellBlock HealthRegen AbilityHaste
3143|Randuin's Omen|란두인의 예언|3000|3082 1011|core|Health Armor Active Slow
3110|Frozen Heart|얼어붙은 심장|2700|3082 3024|core|Armor Mana Aura AbilityHaste
3083|Warmog's Armor|워모그의 갑옷|3000|1011 3067 3801|core|Health HealthRegen AbilityHaste
3119|Winter's Approach|혹한의 손길|2600|3070 3067 1028|core|Health Mana AbilityHaste
3121|Fimbulwinter|종말의 겨울|2700|<3119|core|Health Mana AbilityHaste
6655|Luden's Tempest|루덴의 동반자|3200|3802 1026|mythic|SpellDamage Mana MagicPenetration AbilityHaste
6653|Liandry's Anguish|리안드리의 고통|3200|3802 3108|mythic|SpellDamage Mana AbilityHaste
6656|Everfrost|만년서리|2800|3067 3802 1052|mythic|Health SpellDamage Mana Active AbilityHaste
3089|Rabadon's Deathcap|라바돈의 죽음모자|3600|1058 1058|core|SpellDamage
3157|Zhonya's Hourglass|존야의 모래시계|3000|3191 3108 2420|core|Armor SpellDamage Active AbilityHaste
4645|Shadowflame|그림자불꽃|3000|3145 1058|core|Health SpellDamage MagicPenetration
3135|Void Staff|공허의 지팡이|2800|4630 1026|core|MagicPenetration SpellDamage
3003|Archangel's Staff|대천사의 지팡이|3000|3070 3067 1058|core|Health SpellDamage Mana AbilityHaste
3040|Seraph's Embrace|대천사의 포옹|3000|<3003|core|Health SpellDamage Mana AbilityHaste
3116|Rylai's Crystal Scepter|라일라이의 수정홀|2600|1026 1011 1052|core|Health SpellDamage Slow
6691|Duskblade of Draktharr|드락사르의 황혼검|3100|3134 3133|mythic|Damage Stealth ArmorPenetration AbilityHaste
6692|Eclipse|월식|3100|3134 3133|mythic|Damage ArmorPenetration AbilityHaste
3814|Edge of Night|밤의 끝자락|2900|1036 3134 1028|core|Health Damage ArmorPenetration
6696|Axiom Arc|원칙의 원형낫|3000|3134 3133|core|Damage ArmorPenetration AbilityHaste
3152|Hextech Rocketbelt|마법공학 로켓 벨트|3200|1026 3145 1052|mythic|Health SpellDamage Active MagicPenetration
3100|Lich Bane|리치베인|3000|3057 3113 3108|core|SpellDamage OnHit AbilityHaste
6617|Moonstone Renewer|월석 재생기|2300|3067 4642|mythic|Health SpellDamage ManaRegen AbilityHaste
2065|Shurelya's Battlesong|슈렐리아의 군가|2300|3067 4642|mythic|Health SpellDamage ManaRegen Active
3190|Locket of the Iron Solari|강철의 솔라리 펜던트|2300|3023 1033|mythic|Health SpellBlock Armor Aura Active
3107|Redemption|구원|2300|3012 3114|core|Health ManaRegen
3222|Mikael's Blessing|미카엘의 축복|2300|3012 3114|core|SpellBlock ManaRegen Active
4005|Imperial Mandate|제국의 명령|2300|3108 4642|core|SpellDamage ManaRegen
3109|Knight's Vow|기사의 맹세|2200|3023 3801|core|Health HealthRegen Armor Aura
3050|Zeke's Convergence|지크의 융합|2200|3023 3024|core|Health Armor Active AbilityHaste
3006|Berserker's Greaves|광전사의 군화|1100|1001 1042|boots|AttackSpeed Boots
3009|Boots of Swiftness|신속의 장화|900|1001|boots|Boots
3020|Sorcerer's Shoes|마법사의 신발|1100|1001|boots|Boots MagicPenetration
3047|Plated Steelcaps|판금 장화|1100|1001 1029|boots|Armor Boots
3111|Mercury's Treads|헤르메스의 발걸음|1100|1001 1033|boots|Boots SpellBlock Tenacity
3158|Ionian Boots of Lucidity|명석함의 아이오니아 장화|950|1001|boots|Boots CooldownReduction
1001|Boots|장화|300||component|Boots
1004|Faerie Charm|요정의 부적|250||component|ManaRegen
1006|Rejuvenation Bead|원기 회복의 구슬|300||component|HealthRegen
1011|Giant's Belt|거인의 허리띠|900|1028|component|Health
1018|Cloak of Agility|민첩성의 망토|600||component|CriticalStrike
1026|Blasting Wand|방출의 마법봉|850||component|SpellDamage
1027|Sapphire Crystal|사파이어 수정|350||component|Mana
1028|Ruby Crystal|루비 수정|400||component|Health
1029|Cloth Armor|천 갑옷|300||component|Armor
1031|Chain Vest|쇠사슬 조끼|800|1029|component|Armor
1033|Null-Magic Mantle|마법무효화의 망토|450||component|SpellBlock
1036|Long Sword|롱소드|350||component|Damage Lane
1037|Pickaxe|곡괭이|875||component|Damage
1038|B. F. Sword|B.F. 대검|1300||component|Damage
1042|Dagger|단검|300||component|AttackSpeed
1043|Recurve Bow|곡궁|700|1042|component|AttackSpeed OnHit
1052|Amplifying Tome|증폭의 고서|435||component|SpellDamage
1053|Vampiric Scepter|흡혈의 낫|900|1036|component|Damage LifeSteal
1058|Needlessly Large Rod|쓸데없이 큰 지팡이|1250||component|SpellDamage
2015|Kircheis Shard|키르히아이스의 파편|700|1036|component|Damage OnHit
2420|Stopwatch|초시계|750||component|Active
3012|Chalice of Blessing|축복의 성배|950|1028 1004|component|Health ManaRegen
3023|Lifewell Pendant|생명의 샘 펜던트|1050|1028 1029|component|Health Armor AbilityHaste
3024|Glacial Buckler|얼음 방패|900|1027 1029|component|Armor Mana AbilityHaste
3035|Last Whisper|최후의 속삭임|1450|1036 1036|component|ArmorPenetration Damage
3044|Phage|탐식의 망치|1100|1028 1036|component|Health Damage
3051|Hearthbound Axe|온기가 필요한 자의 도끼|1100|1036 1042 1036|component|Damage AttackSpeed
3057|Sheen|광휘의 검|700||component|OnHit
3067|Kindlegem|점화석|800|1028|component|Health AbilityHaste
3070|Tear of the Goddess|여신의 눈물|400||component|Mana ManaRegen
3076|Bramble Vest|덤불 조끼|800|1029 1029|component|Armor
3077|Tiamat|티아맷|1200|1037|component|Damage OnHit
3082|Warden's Mail|파수꾼의 갑옷|1000|1029 1029|component|Armor
3086|Zeal|열정의 검|1100|1018 1042|component|CriticalStrike AttackSpeed
3105|Aegis of the Legion|군단의 방패|1200|1033 1029|component|SpellBlock Armor AbilityHaste
3108|Fiendish Codex|악마의 마법서|900|1052|component|SpellDamage AbilityHaste
3113|Aether Wisp|에테르 환영|850|1052|component|SpellDamage
3114|Forbidden Idol|금지된 우상|800|1004|component|ManaRegen
3133|Caulfield's Warhammer|콜필드의 전투 망치|1100|1036 1036|component|Damage AbilityHaste
3134|Serrated Dirk|톱날 단검|1100|1036 1036|component|Damage ArmorPenetration
3145|Hextech Alternator|마법공학 교류 발전기|1050|1052 1028|component|Health SpellDamage
3191|Seeker's Armguard|추적자의 팔목 보호대|1000|1052 1029|component|Armor SpellDamage
3211|Spectre's Cowl|망령의 두건|1250|1028 1033|component|Health HealthRegen SpellBlock
3801|Crystalline Bracer|수정 팔 보호구|800|1028 1006|component|Health HealthRegen
3802|Lost Chapter|사라진 양피지|1100|1052 1027|component|SpellDamage Mana AbilityHaste
4630|Blighting Jewel|역병의 보석|1250|1052|component|MagicPenetration SpellDamage
4642|Bandleglass Mirror|밴들유리 거울|950|1004 1052|component|SpellDamage ManaRegen AbilityHaste
6660|Bami's Cinder|바미의 불씨|1000|1028 1028|component|Health
6670|Noonquiver|절정의 화살|1300|1036 1042 1036|component|Damage AttackSpeed OnHit
1054|Doran's Shield|도란의 방패|450||starter|Health HealthRegen Lane
1055|Doran's Blade|도란의 검|450||starter|Health Damage SpellVamp Lane
1056|Doran's Ring|도란의 반지|400||starter|Health Lane ManaRegen SpellDamage
1101|Scorchclaw Pup|새끼 화염발톱|450||starter|Jungle
1102|Gustwalker Hatchling|새끼 바람돌이|450||starter|Jungle
1103|Mosstomper Seedling|새끼 이끼쿵쿵이|450||starter|Jungle
3850|Spellthief's Edge|주문도둑의 검|400||starter|Health SpellDamage ManaRegen Vision GoldPer Lane
3851|Frostfang|얼음 송곳니|400|<3850|quest|GoldPer Lane ManaRegen SpellDamage
3853|Shard of True Ice|얼음 정수의 파편|400|<3851|quest|GoldPer Lane ManaRegen SpellDamage
3858|Relic Shield|고대유물 방패|400||starter|Health HealthRegen SpellDamage Vision GoldPer Lane
3859|Targon's Buckler|타곤 산의 방패|400|<3858|quest|Health HealthRegen GoldPer Lane
3860|Bulwark of the Mountain|타곤 산의 방벽|400|<3859|quest|Health HealthRegen GoldPer Lane
2003|Health Potion|체력 물약|50||consumable|HealthRegen Consumable Lane Jungle
2031|Refillable Potion|충전형 물약|150||consumable|HealthRegen Consumable Active Lane Jungle
2055|Control Ward|제어 와드|75||consumable|Consumable Lane Stealth Vision
2138|Elixir of Iron|강철의 영약|500||consumable|Health Consumable Tenacity
2139|Elixir of Sorcery|마법의 영약|500||consumable|Consumable ManaRegen SpellDamage
2140|Elixir of Wrath|분노의 영약|500||consumable|Consumable Damage LifeSteal
3340|Stealth Ward|투명 와드|0||trinket|Active Jungle Lane Trinket Vision
3363|Farsight Alteration|망원형 개조|0||trinket|Active Trinket Vision
3364|Oracle Lens|예언자의 렌즈|0||trinket|Active Trinket Vision
"""
_CHAMPIONS = """
266|Aatrox|Aatrox|아트록스|TOP|fighter|QEW
164|Camille|Camille|카밀|TOP|fighter|QEW
122|Darius|Darius|다리우스|TOP|fighter|QEW
114|Fiora|Fiora|피오라|TOP|fighter|QEW
86|Garen|Garen|가렌|TOP|fighter|EQW
39|Irelia|Irelia|이렐리아|TOP|fighter|QEW
24|Jax|Jax|잭스|TOP|fighter|WQE
54|Malphite|Malphite|말파이트|TOP|tank|QEW
82|Mordekaiser|Mordekaiser|모데카이저|TOP|mage|QEW
58|Renekton|Renekton|레넥톤|TOP|fighter|QEW
875|Sett|Sett|세트|TOP|fighter|QWE
98|Shen|Shen|쉔|TOP|tank|QEW
32|Amumu|Amumu|아무무|JUNGLE|tank|EQW
245|Ekko|Ekko|에코|JUNGLE|ap_assassin|QEW
104|Graves|Graves|그레이브즈|JUNGLE|assassin|QEW
120|Hecarim|Hecarim|헤카림|JUNGLE|fighter|QEW
59|JarvanIV|Jarvan IV|자르반 4세|JUNGLE|fighter|QEW
121|Khazix|Kha'Zix|카직스|JUNGLE|assassin|QWE
64|LeeSin|Lee Sin|리 신|JUNGLE|fighter|QWE
11|MasterYi|Master Yi|마스터 이|JUNGLE|fighter|QEW
56|Nocturne|Nocturne|녹턴|JUNGLE|fighter|QEW
254|Vi|Vi|바이|JUNGLE|fighter|QEW
19|Warwick|Warwick|워윅|JUNGLE|fighter|WQE
62|MonkeyKing|Wukong|오공|JUNGLE|fighter|EQW
103|Ahri|Ahri|아리|MIDDLE|mage|QWE
84|Akali|Akali|아칼리|MIDDLE|ap_assassin|QEW
1|Annie|Annie|애니|MIDDLE|mage|QWE
105|Fizz|Fizz|피즈|MIDDLE|ap_assassin|EWQ
55|Katarina|Katarina|카타리나|MIDDLE|ap_assassin|QEW
99|Lux|Lux|럭스|MIDDLE|mage|EQW
90|Malzahar|Malzahar|말자하|MIDDLE|mage|EQW
61|Orianna|Orianna|오리아나|MIDDLE|mage|QWE
134|Syndra|Syndra|신드라|MIDDLE|mage|QWE
112|Viktor|Viktor|빅토르|MIDDLE|mage|EQW
157|Yasuo|Yasuo|야스오|MIDDLE|fighter|QEW
238|Zed|Zed|제드|MIDDLE|assassin|QEW
22|Ashe|Ashe|애쉬|BOTTOM|marksman|WQE
51|Caitlyn|Caitlyn|케이틀린|BOTTOM|marksman|QWE
119|Draven|Draven|드레이븐|BOTTOM|marksman|QWE
81|Ezreal|Ezreal|이즈리얼|BOTTOM|caster|QEW
202|Jhin|Jhin|진|BOTTOM|marksman|QWE
222|Jinx|Jinx|징크스|BOTTOM|marksman|QWE
145|Kaisa|Kai'Sa|카이사|BOTTOM|marksman|QEW
236|Lucian|Lucian|루시안|BOTTOM|caster|QEW
21|MissFortune|Miss Fortune|미스 포츈|BOTTOM|marksman|QWE
15|Sivir|Sivir|시비르|BOTTOM|caster|QWE
18|Tristana|Tristana|트리스타나|BOTTOM|marksman|EQW
67|Vayne|Vayne|베인|BOTTOM|marksman|QWE
12|Alistar|Alistar|알리스타|UTILITY|warden|QWE
53|Blitzcrank|Blitzcrank|블리츠크랭크|UTILITY|warden|QEW
201|Braum|Braum|브라움|UTILITY|warden|QEW
40|Janna|Janna|잔나|UTILITY|enchanter|EWQ
143|Zyra|Zyra|자이라|UTILITY|enchanter|EQW
89|Leona|Leona|레오나|UTILITY|warden|EWQ
117|Lulu|Lulu|룰루|UTILITY|enchanter|EQW
25|Morgana|Morgana|모르가나|UTILITY|enchanter|QWE
267|Nami|Nami|나미|UTILITY|enchanter|WEQ
111|Nautilus|Nautilus|노틸러스|UTILITY|warden|EQW
16|Soraka|Soraka|소라카|UTILITY|enchanter|QWE
412|Thresh|Thresh|쓰레쉬|UTILITY|warden|EQW
"""


def _item(line: str) -> Item:
    number, name, name_ko, gold, made_of, kind, tags = line.split("|")
    grown = made_of.startswith("<")
    recipe = () if grown else tuple(map(int, made_of.split()))
    told: Any = "core" if kind == "mythic" else kind
    grown_from = int(made_of[1:]) if grown else 0
    return Item(int(number), name, name_ko, int(gold), recipe, told, kind == "mythic", grown_from, tuple(tags.split()))


def _champion(line: str) -> Champion:
    number, key, name, name_ko, position, build, max_order = line.split("|")
    return Champion(int(number), key, name, name_ko, position, build, max_order)


ITEMS: Mapping[int, Item] = {item.item_id: item for item in map(_item, _ITEMS.strip().splitlines())}
"""Every item by id."""
CHAMPIONS: tuple[Champion, ...] = tuple(map(_champion, _CHAMPIONS.strip().splitlines()))
"""Every champion, twelve for each position."""
TURNS_INTO: Mapping[int, int] = {
    item.transformed_from: item.item_id for item in ITEMS.values() if item.transformed_from
}
"""What grows by itself, and into what."""
BUILDS: Mapping[str, tuple[int, ...]] = {
    "marksman": (6671, 3031, 6672, 3087, 3094, 3046, 3036, 3072, 3153, 6676),
    "caster": (3078, 3508, 3004, 6694, 3153, 3161, 6676, 3036),
    "fighter": (3078, 6632, 3071, 3053, 6333, 3074, 3161, 3153),
    "tank": (6665, 3084, 3068, 3075, 3119, 3065, 3143, 3110, 3083),
    "mage": (6655, 6653, 6656, 3003, 4645, 3157, 3089, 3135, 3116),
    "assassin": (6691, 6692, 6676, 3814, 6694, 6696, 3071, 3074),
    "ap_assassin": (3152, 6655, 3100, 4645, 3157, 3089, 3135, 3116),
    "enchanter": (6617, 2065, 3190, 3107, 4005, 3222, 3109, 3157),
    "warden": (3190, 6665, 3109, 3050, 3107, 3075, 3110, 3143),
}
"""Core items of each class, in the order in which they are usual."""
BOOTS: Mapping[str, tuple[int, ...]] = {
    "marksman": (3006, 3009, 3047),
    "caster": (3158, 3047, 3111),
    "fighter": (3047, 3111, 3158),
    "tank": (3047, 3111, 3009),
    "mage": (3020, 3111, 3158),
    "assassin": (3158, 3047, 3111),
    "ap_assassin": (3020, 3111, 3158),
    "enchanter": (3158, 3009, 3020),
    "warden": (3047, 3111, 3158),
}
"""Boots of each class."""
WIN_MORE: Mapping[int, float] = {
    3031: 0.30, 3072: 0.35, 6676: 0.25, 3036: 0.15, 3161: 0.20, 3508: 0.25, 3074: 0.35, 6632: 0.20, 3071: 0.15,
    3089: 0.40, 4645: 0.25, 3135: 0.15, 6655: 0.15, 6691: 0.25, 6696: 0.20, 3083: 0.25, 3084: 0.25, 4005: 0.25,
    2065: 0.15, 3078: 0.10, 3050: 0.20, 3100: 0.15, 6671: 0.15, 3004: 0.20,
    6333: -0.25, 3053: -0.15, 3157: -0.30, 3116: -0.15, 3075: -0.25, 3065: -0.15, 3107: -0.20, 3222: -0.15,
    3814: -0.25, 3153: -0.20, 6694: -0.15, 3190: -0.15, 6665: -0.15, 3109: -0.15, 3110: -0.15, 3046: -0.20,
}  # fmt: skip
"""Items that are chosen more often when ahead, or when behind: log odds for each 1,000 gold of the team's lead."""


def champion_index(name: str) -> int:
    """Place in `CHAMPIONS` of a champion's key or name.

    Raises:
        ValueError: when there is none; it says which there are.
    """
    for index, champion in enumerate(CHAMPIONS):
        if name in (champion.key, champion.name, champion.name_ko):
            return index
    known = ", ".join(champion.key for champion in CHAMPIONS)
    raise ValueError(f"expected a champion to simulate, found {name!r}; there are {known}")


@cache
def _into() -> dict[int, list[str]]:
    into: dict[int, list[str]] = {}
    for item in ITEMS.values():
        for component in dict.fromkeys(item.recipe):
            into.setdefault(component, []).append(str(item.item_id))
    return into


def _depth(item: Item) -> int:
    return 1 + max((_depth(ITEMS[component]) for component in item.recipe), default=0)


_STACKS = {2003: 5, 2055: 2}


def _item_entry(item: Item, name: str) -> dict[str, Any]:
    """An item as Data Dragon lists it."""
    grown, anywhere = item.transformed_from > 0, item.kind not in ("quest", "trinket")
    entry: dict[str, Any] = {
        "name": name,
        "description": f"<mainText><stats></stats>{'<rarityMythic>' * item.is_mythic}</mainText>",
        "colloq": ";",
        "plaintext": "",
    }
    if item.recipe:
        entry["from"] = [str(component) for component in item.recipe]
    if into := _into().get(item.item_id):
        entry["into"] = into
    if grown:
        entry |= {"specialRecipe": item.transformed_from, "inStore": False}
    if item.kind == "consumable" and item.item_id != 2031:
        entry["consumed"] = True
    if item.item_id in _STACKS:
        entry["stacks"] = _STACKS[item.item_id]
    base = item.gold_total - sum(ITEMS[component].gold_total for component in item.recipe)
    entry |= {
        "image": {
            "full": f"{item.item_id}.png",
            "sprite": "item0.png",
            "group": "item",
            "x": 0,
            "y": 0,
            "w": 48,
            "h": 48,
        },
        "gold": {"base": base, "purchasable": not grown, "total": item.gold_total, "sell": item.gold_sell},
        "tags": list(item.tags),
        "maps": {"11": True, "12": anywhere, "21": True, "22": False, "30": False},
        "stats": {},
    }
    if item.recipe:
        entry["depth"] = _depth(item)
    return entry


def _champion_entry(champion: Champion, version: str, name: str, *, is_full: bool) -> dict[str, Any]:
    """A champion as Data Dragon lists it, with its spells in the full document."""
    image = {"sprite": "champion0.png", "group": "champion", "x": 0, "y": 0, "w": 48, "h": 48}
    entry: dict[str, Any] = {
        "id": champion.key,
        "key": str(champion.champion_id),
        "name": name,
        "title": "",
        "blurb": "",
        "info": {"attack": 5, "defense": 5, "magic": 5, "difficulty": 5},
        "image": {"full": f"{champion.key}.png", **image},
        "tags": [_TAGS[champion.build]],
        "partype": "Mana",
        "stats": {"hp": 600, "hpperlevel": 100, "movespeed": 335, "armor": 30, "attackdamage": 60},
    }
    if not is_full:
        return {"version": version, **entry}
    ranks = zip("QWER", (5, 5, 5, 3), strict=True)
    spells = [{"id": f"{champion.key}{skill}", "name": skill, "maxrank": rank} for skill, rank in ranks]
    return {**entry, "spells": spells, "passive": {"name": "", "description": ""}}


_TAGS = {
    "marksman": "Marksman",
    "caster": "Marksman",
    "fighter": "Fighter",
    "tank": "Tank",
    "mage": "Mage",
    "assassin": "Assassin",
    "ap_assassin": "Assassin",
    "enchanter": "Support",
    "warden": "Tank",
}


def data_dragon(version: str) -> dict[str, dict[str, Any]]:
    """Data Dragon's documents of a version, by the names of their files.

    Items in English and Korean, champions with their spells in English, and without them in Korean.
    """
    documents: dict[str, dict[str, Any]] = {}
    for language in ("en_US", "ko_KR"):
        names = {item.item_id: item.name if language == "en_US" else item.name_ko for item in ITEMS.values()}
        documents[f"{version}_{language}_item.json"] = {
            "type": "item",
            "version": version,
            "data": {str(item.item_id): _item_entry(item, names[item.item_id]) for item in ITEMS.values()},
        }
    documents[f"{version}_en_US_championFull.json"] = {
        "type": "champion",
        "format": "full",
        "version": version,
        "data": {each.key: _champion_entry(each, version, each.name, is_full=True) for each in CHAMPIONS},
        "keys": {str(each.champion_id): each.key for each in CHAMPIONS},
    }
    documents[f"{version}_ko_KR_champion.json"] = {
        "type": "champion",
        "format": "standAloneComplex",
        "version": version,
        "data": {each.key: _champion_entry(each, version, each.name_ko, is_full=False) for each in CHAMPIONS},
    }
    return documents
