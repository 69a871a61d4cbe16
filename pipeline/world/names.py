"""Words that stand on signs and maps of the synthetic world, in some European languages.

Personal and street names are common ones of each language; no real business or person is meant.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Trade:
    """A kind of shop: its class on the map (OSM's word) and its sign; `{}` is a name."""

    category: str
    sign: str


@dataclass(frozen=True)
class Language:
    """The words of one language."""

    code: str
    """ISO 639-1."""
    trades: tuple[Trade, ...]
    families: tuple[str, ...]
    """Names for signs."""
    streets: tuple[str, ...]
    """Patterns of street names; `{}` is one of `roots`."""
    roots: tuple[str, ...]
    church: str
    school: str
    park: str
    square: str
    river: str
    fuel: str
    delivery: tuple[str, ...]
    """Lettering on vans."""


def _trades(text: str) -> tuple[Trade, ...]:
    return tuple(Trade(*(part.strip() for part in line.split(":"))) for line in text.strip().splitlines())


LANGUAGES = (
    Language(
        code="de",
        trades=_trades("""
            pharmacy: Apotheke
            pharmacy: {} Apotheke
            bakery: Bäckerei {}
            cafe: Café {}
            hotel: Hotel {}
            books: Buchhandlung
            butcher: Metzgerei {}
            hairdresser: Friseur {}
            florist: Blumen {}
            bicycle: Fahrräder
            restaurant: Gasthaus {}
            bank: Sparkasse
            optician: Optik {}
            shoes: Schuhhaus
        """),
        families=("Müller", "Vogel", "König", "Jäger", "Löwe", "Krüger", "Adler", "Sonne", "Brandt", "Schäfer"),
        streets=("{}straße", "{}weg", "{}gasse", "{}allee"),
        roots=("Linden", "Garten", "Mühlen", "Berg", "Schul", "Kirch", "Rosen", "Bahnhof", "Wald", "Ufer", "Brücken"),
        church="Kirche St. {}",
        school="{}schule",
        park="{}park",
        square="{}platz",
        river="{}bach",
        fuel="TANKSTELLE",
        delivery=("PAKETDIENST", "Malerei Krüger", "Elektro Jäger", "Umzüge Brandt"),
    ),
    Language(
        code="fr",
        trades=_trades("""
            pharmacy: Pharmacie
            bakery: Boulangerie
            bakery: Boulangerie {}
            cafe: Café {}
            hotel: Hôtel {}
            books: Librairie
            butcher: Boucherie {}
            hairdresser: Coiffure {}
            florist: Fleuriste
            restaurant: Brasserie {}
            bank: Crédit {}
            optician: Opticien
            clothes: Mode {}
            laundry: Laverie
        """),
        families=("Lumière", "Molière", "Dupré", "Étoile", "Fontaine", "Garnier", "Hélène", "Océan", "Moreau"),
        streets=("Rue {}", "Avenue {}", "Rue de {}", "Allée {}"),
        roots=("Pasteur", "des Tilleuls", "Voltaire", "du Moulin", "Victor Hugo", "des Écoles", "du Port", "des Roses"),
        church="Église Saint-{}",
        school="École {}",
        park="Parc {}",
        square="Place {}",
        river="Ruisseau {}",
        fuel="STATION",
        delivery=("LIVRAISON", "Plomberie Dupré", "Traiteur Moreau", "Déménagement"),
    ),
    Language(
        code="es",
        trades=_trades("""
            pharmacy: Farmacia
            bakery: Panadería
            bakery: Panadería {}
            cafe: Cafetería {}
            hotel: Hotel {}
            books: Librería
            butcher: Carnicería
            hairdresser: Peluquería {}
            florist: Floristería
            restaurant: Restaurante {}
            bank: Banco {}
            optician: Óptica {}
            shoes: Zapatería
            greengrocer: Frutería {}
        """),
        families=("Astoria", "Núñez", "García", "Ibáñez", "Aurora", "Peña", "Marín", "Colón", "Estrella"),
        streets=("Calle {}", "Avenida {}", "Calle de {}", "Paseo {}"),
        roots=("Mayor", "Alcalá", "Goya", "Cervantes", "Colón", "San Martín", "Los Olivos", "Del Puente", "La Fuente"),
        church="Iglesia de {}",
        school="Colegio {}",
        park="Parque {}",
        square="Plaza {}",
        river="Río {}",
        fuel="GASOLINERA",
        delivery=("REPARTO", "Pinturas Marín", "Muebles García", "Fontanería"),
    ),
    Language(
        code="it",
        trades=_trades("""
            pharmacy: Farmacia
            pharmacy: Farmacia {}
            bakery: Panificio {}
            cafe: Caffè {}
            hotel: Albergo {}
            books: Libreria
            butcher: Macelleria
            hairdresser: Parrucchiere
            florist: Fiori {}
            restaurant: Trattoria {}
            ice_cream: Gelateria {}
            bank: Banca {}
            optician: Ottica {}
            tobacco: Tabacchi
        """),
        families=("Bella", "Rossi", "Colonna", "Aurora", "Ferrari", "Vittoria", "Marconi", "Serena", "Conti"),
        streets=("Via {}", "Viale {}", "Corso {}", "Vicolo {}"),
        roots=("Garibaldi", "Dante", "Mazzini", "Verdi", "Cavour", "Galilei", "Manzoni", "Roma", "Torino", "dei Mille"),
        church="Chiesa di San {}",
        school="Scuola {}",
        park="Parco {}",
        square="Piazza {}",
        river="Torrente {}",
        fuel="BENZINA",
        delivery=("CORRIERE", "Idraulica Conti", "Traslochi Rossi", "Arredi Ferrari"),
    ),
    Language(
        code="sv",
        trades=_trades("""
            pharmacy: Apotek
            pharmacy: Apotek {}
            bakery: Bageri {}
            cafe: Kafé {}
            hotel: Hotell {}
            books: Bokhandel
            hairdresser: Frisör {}
            florist: Blommor
            restaurant: Restaurang {}
            kiosk: Kiosk
            supermarket: Matbutik
            bicycle: Cykelaffär
            optician: Optiker {}
            shoes: Skor
        """),
        families=("Göta", "Malmström", "Åkerlund", "Björk", "Sjöberg", "Norden", "Öster", "Lindqvist", "Ståhl"),
        streets=("{}gatan", "{}vägen", "{}gränd", "{}allén"),
        roots=("Björk", "Stor", "Kungs", "Hamn", "Skol", "Åkar", "Öst", "Sjö", "Ängs", "Kvarn", "Lilje"),
        church="{}kyrkan",
        school="{}skolan",
        park="{}parken",
        square="{}torget",
        river="{}ån",
        fuel="BENSIN",
        delivery=("BUDBIL", "Måleri Björk", "Flytt Sjöberg", "El och Rör"),
    ),
    Language(
        code="pt",
        trades=_trades("""
            pharmacy: Farmácia
            bakery: Padaria {}
            bakery: Pastelaria
            cafe: Café {}
            hotel: Hotel {}
            books: Livraria
            butcher: Talho {}
            hairdresser: Cabeleireiro
            florist: Florista
            restaurant: Restaurante {}
            greengrocer: Frutaria
            bank: Banco {}
            optician: Óptica {}
            laundry: Lavandaria
        """),
        families=("Gonçalves", "Conceição", "Estrela", "Simões", "Lusitânia", "Aurora", "Magalhães", "Brandão"),
        streets=("Rua {}", "Avenida {}", "Travessa {}", "Rua da {}"),
        roots=("Liberdade", "Direita", "Boavista", "São João", "Camões", "Flores", "Palmeira", "Restauração", "Fonte"),
        church="Igreja de {}",
        school="Escola {}",
        park="Jardim {}",
        square="Largo {}",
        river="Ribeira {}",
        fuel="COMBUSTÍVEL",
        delivery=("ENTREGAS", "Pinturas Simões", "Mudanças Brandão", "Climatização"),
    ),
    Language(
        code="en",
        trades=_trades("""
            pharmacy: Pharmacy
            pharmacy: {} Chemist
            bakery: {} Bakery
            cafe: Café {}
            hotel: {} Hotel
            books: Bookshop
            butcher: {} Butchers
            hairdresser: Barber
            florist: {} Flowers
            restaurant: {} Kitchen
            pub: The {} Arms
            bank: {} Bank
            optician: {} Opticians
            hardware: Hardware
        """),
        families=("Baker", "Thornton", "Victoria", "Harrow", "Crown", "Greenwood", "Ashby", "Castle", "Fletcher"),
        streets=("{} Street", "{} Road", "{} Lane", "{} Avenue"),
        roots=("Mill", "Church", "Station", "Queen", "Park", "Orchard", "Bridge", "Chapel", "Victoria", "Elm", "High"),
        church="St {}'s Church",
        school="{} School",
        park="{} Park",
        square="{} Square",
        river="{} Brook",
        fuel="PETROL",
        delivery=("DELIVERY", "Ashby Plumbing", "Fletcher Removals", "Crown Electric"),
    ),
    Language(
        code="pl",
        trades=_trades("""
            pharmacy: Apteka
            pharmacy: Apteka {}
            bakery: Piekarnia {}
            cafe: Kawiarnia {}
            hotel: Hotel {}
            books: Księgarnia
            hairdresser: Fryzjer
            florist: Kwiaciarnia
            restaurant: Restauracja {}
            convenience: Sklep
            supermarket: Delikatesy
            bicycle: Rowery
            optician: Optyk {}
            bank: Bank {}
        """),
        families=("Słoneczna", "Kowalski", "Wiśnia", "Dąbrowski", "Zielona", "Jagoda", "Róża", "Polonia"),
        streets=("ul. {}", "al. {}", "ul. {}"),
        roots=("Lipowa", "Szkolna", "Ogrodowa", "Młyńska", "Kościelna", "Długa", "Słoneczna", "Polna", "Leśna"),
        church="Kościół św. {}",
        school="Szkoła {}",
        park="Park {}",
        square="Plac {}",
        river="Potok {}",
        fuel="PALIWO",
        delivery=("KURIER", "Remonty Kowalski", "Meble Dąbrowski", "Hydraulik"),
    ),
)

SAINTS = ("Anna", "Martin", "Johannes", "Maria", "Nikolai", "Katharina", "Michael", "Elisabeth", "Georg", "Paul")
