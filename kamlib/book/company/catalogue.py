"""The catalogue of the sample company: twelve categories of ten products, with list prices and costs in TWD."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kamlib.book.company.market import CATEGORIES

LISTED = """
Cookware: Steamer basket bamboo 30 cm,260 | Aluminium sheet pan 60x40,320
 | Frying pan non-stick 28 cm,680 | Wok carbon steel 40 cm,890 | GN pan 1/1 stainless 10 cm,960
 | Saucepan stainless 4 L,1250 | Rice cooker pot insert 20 L,1880 | Stockpot stainless 40 L,2650
 | Cast-iron cocotte 28 cm,3900 | Copper sauté pan 24 cm,6200
Knives and prep tools: Peeler stainless 12-pack,240 | Silicone spatula set,390
 | Cutting board HACCP colour,480 | Chinese cleaver,780 | Mandoline slicer,1350
 | Chef's knife 21 cm,1680 | Probe thermometer,980 | Sharpening stone set,1450
 | Japanese santoku 18 cm,3600 | Damascus sashimi knife 27 cm,8800
Tableware: Chopsticks melamine 50 pairs,350 | Soup spoon porcelain 24-pack,420
 | Rice bowl porcelain 12-pack,560 | Dinner plate 27 cm 12-pack,1180
 | Cutlery set stainless 48 pcs,1980 | Serving platter oval 6-pack,1450 | Hot-pot divided pot,1250
 | Chafing dish,3900 | Bone china dinner set 12 covers,7800 | Silver-plated flatware set,12800
Glassware and bar: Tumbler 300 ml 24-pack,640 | Beer mug 500 ml 12-pack,820 | Shot glass 24-pack,480
 | Wine glass 420 ml 12-pack,1380 | Sake set,560 | Cocktail shaker set,980
 | Champagne flute 12-pack,1650 | Ice bucket stainless,1150 | Decanter crystal,3200
 | Crystal whisky set 6-pack,4800
Disposables and packaging: Paper cup 12 oz 1000-pack,1180 | Bento box paper 300-pack,960
 | Wooden chopsticks 1000 pairs,520 | Vacuum bag 20x30 500-pack,780 | Cling film 45 cm 4-roll,690
 | Nitrile gloves 1000-pack,1450 | Paper napkin 5000-pack,880 | PLA straw 2000-pack,720
 | Sugarcane plate 500-pack,1350 | Printed carrier bag 500-pack,1980
Cleaning and hygiene: Dish detergent 20 L,680 | Bleach 5 L 4-pack,420 | Hand soap 5 L,390
 | Floor cleaner 20 L,820 | Paper towel 24-roll,760 | Alcohol sanitiser 75 % 20 L,1350
 | Rinse aid 20 L,1650 | Descaler 10 L,1480 | Enzyme degreaser 10 L,2100 | Dosing pump system,5600
Dry goods and sauces: Jasmine rice 30 kg,1280 | Soy sauce 18 L,1150 | Cake flour 22 kg,860
 | Fine sugar 25 kg,820 | Chilli oil 5 L,1050 | Sesame oil 3 L,980 | Dried shiitake 1 kg,1200
 | Oyster sauce 6 kg,740 | XO sauce 2 kg,2600 | Aged soy sauce premium 6 L,2400
Chilled and frozen: Frozen dumplings 10 kg,1450 | Chicken thigh 15 kg,1980 | Pork loin 12 kg,2850
 | French fries 12 kg,980 | White shrimp 6 kg,2400 | Frozen vegetables 10 kg,760
 | Butter sheets 10 kg,3900 | Whipping cream 12x1 L,2950 | Scallop sashimi grade 2 kg,4200
 | Wagyu striploin 6 kg,15800
Tea, coffee and drinks: Black tea bulk 3 kg,840 | Oolong tea Alishan 1 kg,3600
 | Coffee house blend 6 kg,3300 | Tapioca pearls 18 kg,980 | Fruit syrup 6x2.5 kg,1680
 | Oat milk 12x1 L,1320 | Matcha powder 1 kg,2200 | Soda water 48 cans,620
 | Coffee single origin 2 kg,2600 | High-mountain tea gift grade 1 kg,6400
Kitchen equipment: Induction hob 3.5 kW,10000 | Stick blender,6800 | Vacuum sealer,14500
 | Planetary mixer 10 L,32000 | Ice maker 60 kg,46000 | Undercounter fridge,38500
 | Deep fryer twin,27500 | Food processor,18600 | Combi oven 10-tray,285000
 | Dishwasher hood type,168000
Uniforms and linen: Apron cotton 10-pack,1250 | Chef's hat 20-pack,780 | Kitchen shoes pair,920
 | Chef's jacket,980 | Bath towel 20-pack,3600 | Napkin linen 50-pack,2450
 | Table cloth 180 cm 10-pack,2900 | Bed linen set double,1850 | Waiter vest set,1650
 | Down duvet,5200
Festive gift boxes: Nougat box,320 | Pineapple cake box,420 | Mixed nut box,560 | Mooncake box 6,680
 | Tea and cake box,980 | Dried seafood box,1880 | Fruit liqueur box,1450 | Abalone gift box,3200
 | Ceramic tea set box,4600 | Banquet hamper deluxe,10000
"""
COST_SHARE = (0.61, 0.58, 0.62, 0.61, 0.70, 0.65, 0.77, 0.80, 0.67, 0.73, 0.62, 0.57)
NEW_PRODUCTS = ("PLA straw 2000-pack", "Oat milk 12x1 L", "Enzyme degreaser 10 L")
NEW_AT = (0.30, 0.52, 0.75)
LOW_RANKS, MID_RANKS = 3, 7


@dataclass(frozen=True)
class Catalogue:
    """Products sorted by category and then by price, ten to a category: product *p* is of category p // 10."""

    ids: tuple[str, ...]
    names: tuple[str, ...]
    tiers: tuple[str, ...]
    category: np.ndarray
    price: np.ndarray
    cost: np.ndarray
    is_new: np.ndarray

    @property
    def per_category(self) -> int:
        """Products in each category."""
        return len(self.ids) // len(CATEGORIES)

    @property
    def new(self) -> list[int]:
        """Products launched within the window, in order of launch."""
        return [self.names.index(name) for name in NEW_PRODUCTS]

    def find(self, name: str) -> int:
        """Position of the product of that name."""
        return self.names.index(name)


def make_catalogue() -> Catalogue:
    """The catalogue; the same for every seed.

    Examples
    --------
    >>> catalogue = make_catalogue()
    >>> len(catalogue.ids), catalogue.ids[0], catalogue.names[0], catalogue.tiers[0]
    (120, 'P0101', 'Steamer basket bamboo 30 cm', 'low')
    """
    listed = _parse()
    names = tuple(name for items in listed for name, _ in items)
    price = np.array([price for items in listed for _, price in items], dtype=float)
    per = len(names) // len(CATEGORIES)
    category = np.repeat(np.arange(len(CATEGORIES)), per)
    rank = np.tile(np.arange(per), len(CATEGORIES))
    cost = np.round(price * np.array(COST_SHARE)[category] * (1.02 - 0.006 * rank))
    tiers = tuple("low" if r < LOW_RANKS else "mid" if r < MID_RANKS else "high" for r in rank)
    ids = tuple(f"P{c + 1:02d}{r + 1:02d}" for c, r in zip(category, rank, strict=True))
    return Catalogue(ids, names, tiers, category, price, cost, np.isin(names, NEW_PRODUCTS))


def _parse() -> list[list[tuple[str, int]]]:
    text = LISTED.strip().replace("\n |", " |").splitlines()
    by_category = dict(line.split(": ", 1) for line in text)
    items = [[_item(part) for part in by_category[name].split(" | ")] for name in CATEGORIES]
    return [sorted(products, key=lambda product: product[1]) for products in items]


def _item(part: str) -> tuple[str, int]:
    name, price = part.rsplit(",", 1)
    return name.strip(), int(price)
