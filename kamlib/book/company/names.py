"""Names of the sample company's accounts, people and competitors, in English and Traditional Chinese."""

from __future__ import annotations

from math import gcd

from kamlib.book.company.market import REGIONS


def _parts(text: str) -> list[tuple[str, str]]:
    """Words such as ``海Hai`` as their English and Chinese parts."""
    cuts = [(word, next(i for i, letter in enumerate(word) if letter.isascii())) for word in text.split()]
    return [(word[cut:], word[:cut]) for word, cut in cuts]


FIRST = _parts(
    "海Hai 鼎Ding 福Fu 金Jin 玉Yu 華Hua 永Yong 大Da 新Xin 東Dong 南Nan 泰Tai 和He 德De 瑞Rui 祥Xiang "
    "順Shun 萬Wan 長Chang 美Mei 春Chun 明Ming 青Qing 雲Yun 龍Long 山Shan 天Tian 光Guang 嘉Jia 宏Hong "
    "凱Kai 晶Jing 聯Lian 康Kang"
)
SECOND = _parts(
    "悅Yue 豐Feng 興Xing 園Yuan 軒Xuan 庭Ting 樂Le 達Da 安An 寶Bao 盛Sheng 林Lin 閣Ge 坊Fang 家Jia "
    "川Chuan 田Tian 谷Gu 城Cheng 湖Hu 喜Xi 禾He 味Wei 橋Qiao"
)
ENGLISH = (
    ("Blue Magpie", "藍鵲"),
    ("Jade Mountain", "玉峰"),
    ("Harbour Light", "港燈"),
    ("Red Lantern", "紅燈籠"),
    ("White Crane", "白鶴"),
    ("Maple Lane", "楓林"),
    ("Camphor Tree", "樟樹"),
    ("Golden Sail", "金帆"),
    ("Sun & Moon", "日月"),
    ("Pine Valley", "松谷"),
    ("Orchid Bay", "蘭灣"),
    ("Cloud Gate", "雲門"),
    ("Silver River", "銀河"),
    ("Plum Blossom", "梅花"),
    ("Green Bamboo", "綠竹"),
    ("Stone Bridge", "石橋"),
    ("Bright Star", "明星"),
    ("Lotus Pond", "蓮池"),
    ("Morning Dew", "朝露"),
    ("Salt & Taro", "鹽芋"),
    ("North Wind", "北風"),
    ("Old Port", "老港"),
    ("Ocean Ridge", "海嶺"),
    ("Paper Umbrella", "紙傘"),
    ("Tung Flower", "桐花"),
    ("Amber Leaf", "琥珀葉"),
    ("Twin Peaks", "雙峰"),
    ("Spring Terrace", "春台"),
    ("Fisher's Wharf", "漁人碼頭"),
    ("Sugar Railway", "糖鐵"),
)
FORMS = {
    "Hotels": (("Hotel", "大飯店"), ("Grand Hotel", "大酒店"), ("Suites", "商旅"), ("Inn", "旅店")),
    "Restaurants": (
        ("Restaurant", "餐廳"),
        ("Hot Pot", "火鍋"),
        ("Dumpling House", "餃子館"),
        ("Seafood", "海鮮"),
        ("Beef Noodles", "牛肉麵"),
        ("Izakaya", "居酒屋"),
        ("Vegetarian Kitchen", "素食"),
        ("Steakhouse", "牛排館"),
    ),
    "Hospitals": (("General Hospital", "綜合醫院"), ("Memorial Hospital", "紀念醫院"), ("Hospital", "醫院")),
    "Schools": (("Elementary School", "國小"), ("High School", "高中"), ("College", "學院")),
    "Company canteens": (
        ("Electronics", "電子"),
        ("Precision Industry", "精密工業"),
        ("Semiconductor", "半導體"),
        ("Textiles", "紡織"),
        ("Logistics", "物流"),
    ),
    "Retail and gifts": (
        ("Department Store", "百貨"),
        ("Homeware", "生活家居"),
        ("Gifts", "禮品"),
        ("Supermarket", "超市"),
    ),
    "Bakeries and cafés": (("Bakery", "烘焙"), ("Café", "咖啡"), ("Pâtisserie", "甜點"), ("Tea House", "茶館")),
    "Caterers and banquets": (("Catering", "外燴"), ("Banquet Hall", "宴會廳"), ("Wedding Plaza", "婚宴會館")),
    "Care homes": (("Care Home", "長照中心"), ("Nursing Home", "護理之家"), ("Senior Living", "銀髮住宅")),
}
SEASONAL_FORMS = {
    "hot-spring season": ("Hot Spring Resort", "溫泉會館"),
    "beach season": ("Beach Resort", "海灘度假村"),
    "mooncake season": ("Mooncakes", "餅舖"),
    "new-year gifts": ("New Year Gifts", "年貨行"),
}
SURNAMES = _parts(
    "陳Chen 林Lin 黃Huang 張Chang 李Lee 王Wang 吳Wu 劉Liu 蔡Tsai 楊Yang 許Hsu 鄭Cheng 謝Hsieh 郭Kuo "
    "洪Hung 曾Tseng 邱Chiu 廖Liao 賴Lai 周Chou 徐Hsu 蘇Su 葉Yeh 莊Chuang 呂Lu 江Chiang 何Ho 蕭Hsiao"
)
GIVEN = _parts(
    "怡婷Yi-Ting 志明Chih-Ming 雅雯Ya-Wen 建宏Chien-Hung 淑芬Shu-Fen 俊傑Chun-Chieh 美玲Mei-Ling "
    "家豪Chia-Hao 欣怡Hsin-Yi 冠宇Kuan-Yu 佩珊Pei-Shan 宗翰Tsung-Han 惠君Hui-Chun 柏翰Po-Han "
    "詩涵Shih-Han 文彬Wen-Pin 麗華Li-Hua 承恩Cheng-En 曉萍Hsiao-Ping 宇軒Yu-Hsuan 靜宜Ching-Yi "
    "國榮Kuo-Jung 婉如Wan-Ju 彥廷Yen-Ting 筱涵Hsiao-Han 世昌Shih-Chang 心怡Hsin-I 明哲Ming-Che "
    "佳穎Chia-Ying 育誠Yu-Cheng 秀英Hsiu-Ying 浩然Hao-Jan"
)
COMPETITORS = (
    "Tai Shin Supply 泰信",
    "Da Cheng Foodservice 大成",
    "Pacific Kitchenware",
    "Wellmart Wholesale 惠大",
    "Yamada Trading 山田",
    "Union Hygiene",
)


def _brands() -> list[tuple[str, str]]:
    coined = [(f"{a} {b}", f"{x}{y}") for b, y in SECOND for a, x in FIRST if a != b]
    step = next(s for s in range(317, 2 * len(coined)) if gcd(s, len(coined)) == 1)
    mixed = [coined[i * step % len(coined)] for i in range(len(coined))]
    for position, brand in enumerate(ENGLISH):
        mixed.insert(position * 6, brand)
    return mixed


BRANDS = _brands()


def account_name(index: int, offset: int, form: tuple[str, str], city: tuple[str, str]) -> str:
    """The name of the account at a position in the book; no two positions share one.

    The first thousand or so have a brand of their own, then brand and city, then a number are needed.
    """
    round_no, brand_no = divmod(index, len(BRANDS))
    brand, hanzi = BRANDS[(brand_no + offset) % len(BRANDS)]
    place = f" {city[0]}" if round_no else ""
    number = f" No. {round_no}" if round_no else ""
    english = f"{brand} {form[0]}{place}{number}"
    if index % 20 in (3, 4, 7, 8, 11, 14, 18, 19):
        return english
    return f"{english} {hanzi}{form[1]}{city[1] if place else ''}{round_no or ''}"


def group_name(index: int, offset: int, form: tuple[str, str]) -> str:
    """The name of the head of a group of accounts."""
    return account_name(index, offset, (f"{form[0]} Group", f"{form[1]}集團"), REGIONS[0][2][0])


def branch_name(head_name: str, city: tuple[str, str], number: int) -> str:
    """The name of a child account: its group's name, the city, and a number that tells two of one city apart."""
    stem = head_name.replace(" Group", "").replace("集團", "")
    english, _, hanzi = stem.rpartition(" ")
    if not hanzi or hanzi.isascii():
        english, hanzi = stem, ""
    ordinal = f" {number}" if number > 1 else ""
    chinese = f" {hanzi}{city[1]}{number if number > 1 else ''}店" if hanzi else ""
    return f"{english} {city[0]}{ordinal}{chinese}"


def person_name(number: int) -> str:
    """The name of a person; numbers far apart give names far apart.

    Examples
    --------
    >>> person_name(0)
    'Chen Yi-Ting 陳怡婷'
    """
    surname, family = SURNAMES[number % len(SURNAMES)]
    given, own = GIVEN[number // len(SURNAMES) % len(GIVEN)]
    return f"{surname} {given} {family}{own}"
