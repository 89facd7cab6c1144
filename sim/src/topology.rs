//! Where the PoPs are and how long a packet takes between them.
//!
//! The PoPs are real cities of Cloudflare's network under the IATA codes of their airports, at the airports'
//! coordinates. No matrix of round-trip times is published, so they are computed from distance; that is an
//! **assumption**, and [`LatencyModel`] holds it: light in fibre travels 200 km in a millisecond, a real path is 1.5
//! times as long as the great circle, and some time passes even within a metropolis.
//!
//! A [`Topology`] is a matrix computed once: a look-up costs an array access. Loss, jitter and partitions are faults,
//! not topology. A PoP here stands for all of its machines.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Speed of light in fibre in km/ms: two thirds of that in vacuum.
pub const FIBRE_KM_PER_MS: f64 = 200.0;
/// How much longer a path is than the great circle. An assumption.
pub const PATH_FACTOR: f64 = 1.5;
/// Round trip within one metropolis. An assumption.
pub const METRO_RTT: Duration = Duration::from_millis(1);
/// Mean radius of the Earth in km (IUGG).
const EARTH_RADIUS_KM: f64 = 6_371.008_8;

/// A region in which a Durable Object or a database may be asked to live.
///
/// The nine location hints of Durable Objects (the `DurableObjectLocationHint` type of workerd). Not every region is
/// known to host objects; which ones do is not modelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LocationHint {
    /// Western North America.
    Wnam,
    /// Eastern North America.
    Enam,
    /// South America.
    Sam,
    /// Western Europe.
    Weur,
    /// Eastern Europe.
    Eeur,
    /// Asia-Pacific.
    Apac,
    /// Oceania.
    Oc,
    /// Africa.
    Afr,
    /// Middle East.
    Me,
}

impl LocationHint {
    const ALL: [(Self, &'static str); 9] = [
        (Self::Wnam, "wnam"),
        (Self::Enam, "enam"),
        (Self::Sam, "sam"),
        (Self::Weur, "weur"),
        (Self::Eeur, "eeur"),
        (Self::Apac, "apac"),
        (Self::Oc, "oc"),
        (Self::Afr, "afr"),
        (Self::Me, "me"),
    ];

    /// The hint of that name (`weur`); `None` for any other text.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .find(|(_, known)| *known == name)
            .map(|&(hint, _)| hint)
    }

    /// The hint's name, as Workers write it.
    pub fn name(self) -> &'static str {
        Self::ALL[self as usize].1
    }
}

/// One place of the table.
#[derive(Debug, Clone, Copy)]
struct Place {
    code: &'static str,
    city: &'static str,
    country: &'static str,
    region: LocationHint,
    latitude: f64,
    longitude: f64,
}

const fn place(
    code: &'static str,
    city: &'static str,
    country: &'static str,
    region: LocationHint,
    latitude: f64,
    longitude: f64,
) -> Place {
    Place {
        code,
        city,
        country,
        region,
        latitude,
        longitude,
    }
}

/// The PoPs, by region; coordinates of the airports in degrees, north and east positive.
#[rustfmt::skip] // A table: one row, one line.
const PLACES: &[Place] = &[
    place("SEA", "Seattle", "US", LocationHint::Wnam, 47.4490, -122.3093),
    place("SJC", "San Jose", "US", LocationHint::Wnam, 37.3626, -121.9291),
    place("LAX", "Los Angeles", "US", LocationHint::Wnam, 33.9425, -118.4081),
    place("DEN", "Denver", "US", LocationHint::Wnam, 39.8617, -104.6731),
    place("PHX", "Phoenix", "US", LocationHint::Wnam, 33.4343, -112.0116),
    place("YVR", "Vancouver", "CA", LocationHint::Wnam, 49.1939, -123.1844),
    place("DFW", "Dallas", "US", LocationHint::Enam, 32.8968, -97.0380),
    place("ORD", "Chicago", "US", LocationHint::Enam, 41.9786, -87.9048),
    place("ATL", "Atlanta", "US", LocationHint::Enam, 33.6367, -84.4281),
    place("IAD", "Ashburn", "US", LocationHint::Enam, 38.9445, -77.4558),
    place("EWR", "Newark", "US", LocationHint::Enam, 40.6925, -74.1687),
    place("MIA", "Miami", "US", LocationHint::Enam, 25.7932, -80.2906),
    place("YYZ", "Toronto", "CA", LocationHint::Enam, 43.6772, -79.6306),
    place("MEX", "Mexico City", "MX", LocationHint::Enam, 19.4363, -99.0721),
    place("BOG", "Bogotá", "CO", LocationHint::Sam, 4.7016, -74.1469),
    place("LIM", "Lima", "PE", LocationHint::Sam, -12.0219, -77.1143),
    place("SCL", "Santiago", "CL", LocationHint::Sam, -33.3930, -70.7858),
    place("EZE", "Buenos Aires", "AR", LocationHint::Sam, -34.8222, -58.5358),
    place("GRU", "São Paulo", "BR", LocationHint::Sam, -23.4356, -46.4731),
    place("LIS", "Lisbon", "PT", LocationHint::Weur, 38.7813, -9.1359),
    place("MAD", "Madrid", "ES", LocationHint::Weur, 40.4719, -3.5626),
    place("CDG", "Paris", "FR", LocationHint::Weur, 49.0128, 2.5500),
    place("LHR", "London", "GB", LocationHint::Weur, 51.4706, -0.4619),
    place("DUB", "Dublin", "IE", LocationHint::Weur, 53.4213, -6.2701),
    place("AMS", "Amsterdam", "NL", LocationHint::Weur, 52.3086, 4.7639),
    place("FRA", "Frankfurt", "DE", LocationHint::Weur, 50.0333, 8.5706),
    place("ZRH", "Zurich", "CH", LocationHint::Weur, 47.4647, 8.5492),
    place("MXP", "Milan", "IT", LocationHint::Weur, 45.6306, 8.7281),
    place("ARN", "Stockholm", "SE", LocationHint::Weur, 59.6519, 17.9186),
    place("WAW", "Warsaw", "PL", LocationHint::Eeur, 52.1657, 20.9671),
    place("VIE", "Vienna", "AT", LocationHint::Eeur, 48.1103, 16.5697),
    place("OTP", "Bucharest", "RO", LocationHint::Eeur, 44.5722, 26.1022),
    place("IST", "Istanbul", "TR", LocationHint::Eeur, 41.2753, 28.7519),
    place("DXB", "Dubai", "AE", LocationHint::Me, 25.2528, 55.3644),
    place("TLV", "Tel Aviv", "IL", LocationHint::Me, 32.0114, 34.8867),
    place("LOS", "Lagos", "NG", LocationHint::Afr, 6.5774, 3.3212),
    place("NBO", "Nairobi", "KE", LocationHint::Afr, -1.3192, 36.9278),
    place("JNB", "Johannesburg", "ZA", LocationHint::Afr, -26.1392, 28.2460),
    place("BOM", "Mumbai", "IN", LocationHint::Apac, 19.0887, 72.8679),
    place("DEL", "New Delhi", "IN", LocationHint::Apac, 28.5665, 77.1031),
    place("SIN", "Singapore", "SG", LocationHint::Apac, 1.3502, 103.9940),
    place("CGK", "Jakarta", "ID", LocationHint::Apac, -6.1256, 106.6559),
    place("HKG", "Hong Kong", "HK", LocationHint::Apac, 22.3089, 113.9146),
    place("TPE", "Taipei", "TW", LocationHint::Apac, 25.0777, 121.2328),
    place("ICN", "Seoul", "KR", LocationHint::Apac, 37.4691, 126.4505),
    place("NRT", "Tokyo", "JP", LocationHint::Apac, 35.7647, 140.3864),
    place("PER", "Perth", "AU", LocationHint::Oc, -31.9403, 115.9672),
    place("SYD", "Sydney", "AU", LocationHint::Oc, -33.9461, 151.1772),
    place("AKL", "Auckland", "NZ", LocationHint::Oc, -37.0081, 174.7917),
];

/// One of Cloudflare's places, by its number in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pop(u8);

impl Pop {
    /// How many PoPs there are.
    pub const COUNT: usize = PLACES.len();

    /// All PoPs, in the order of the table.
    pub fn all() -> impl ExactSizeIterator<Item = Self> {
        (0..PLACES.len() as u8).map(Self)
    }

    /// The PoP of an IATA code in any case; `None` if the table has no such place.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::all().find(|pop| pop.code().eq_ignore_ascii_case(code))
    }

    /// The PoP nearest to a point in degrees.
    pub fn nearest(latitude: f64, longitude: f64) -> Self {
        Self::all()
            .min_by(|a, b| {
                let distance =
                    |pop: &Self| great_circle_km(pop.coordinates(), (latitude, longitude));
                distance(a).total_cmp(&distance(b))
            })
            .expect("the table is not empty")
    }

    /// Place in the table, below [`COUNT`](Self::COUNT): an index for arrays with one entry per PoP.
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    const fn place(self) -> &'static Place {
        &PLACES[self.0 as usize]
    }

    /// IATA code, such as `MEX`: the `colo` of a request.
    pub const fn code(self) -> &'static str {
        self.place().code
    }

    /// English name of the city.
    pub const fn city(self) -> &'static str {
        self.place().city
    }

    /// Two-letter country code (ISO 3166-1).
    pub const fn country(self) -> &'static str {
        self.place().country
    }

    /// The region it lies in.
    pub const fn region(self) -> LocationHint {
        self.place().region
    }

    /// Latitude and longitude in degrees, north and east positive.
    pub const fn coordinates(self) -> (f64, f64) {
        (self.place().latitude, self.place().longitude)
    }

    /// Great-circle distance in km.
    pub fn distance_km(self, other: Self) -> f64 {
        great_circle_km(self.coordinates(), other.coordinates())
    }
}

impl fmt::Display for Pop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl Serialize for Pop {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

impl<'de> Deserialize<'de> for Pop {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let code = String::deserialize(deserializer)?;
        Self::from_code(&code)
            .ok_or_else(|| serde::de::Error::custom(format!("no PoP has the code {code:?}")))
    }
}

/// Haversine formula, well-conditioned for near points too.
fn great_circle_km(from: (f64, f64), to: (f64, f64)) -> f64 {
    let (latitude_a, latitude_b) = (from.0.to_radians(), to.0.to_radians());
    let half_dlat = (latitude_b - latitude_a) / 2.0;
    let half_dlon = (to.1 - from.1).to_radians() / 2.0;
    let h = half_dlat.sin().powi(2) + latitude_a.cos() * latitude_b.cos() * half_dlon.sin().powi(2);
    2.0 * EARTH_RADIUS_KM * h.sqrt().min(1.0).asin()
}

/// How distance becomes time. All three are assumptions; see the module's documentation.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LatencyModel {
    /// Speed on the path in km/ms.
    pub km_per_ms: f64,
    /// Path length over great-circle length.
    pub path_factor: f64,
    /// Round trip at distance 0.
    pub metro_rtt: Duration,
}

impl Default for LatencyModel {
    fn default() -> Self {
        Self {
            km_per_ms: FIBRE_KM_PER_MS,
            path_factor: PATH_FACTOR,
            metro_rtt: METRO_RTT,
        }
    }
}

impl LatencyModel {
    /// Time one way over `km` of great circle, in microseconds, not yet rounded.
    fn one_way_us(&self, km: f64) -> f64 {
        km * self.path_factor / self.km_per_ms * 1_000.0 + self.metro_rtt.as_secs_f64() * 1e6 / 2.0
    }
}

/// The matrix of one-way times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topology {
    /// Row by row, `Pop::COUNT` × `Pop::COUNT`, in nanoseconds.
    one_way: Vec<u64>,
}

impl Default for Topology {
    fn default() -> Self {
        Self::new(&LatencyModel::default())
    }
}

impl Topology {
    /// Computes the matrix.
    ///
    /// Times are whole microseconds: the last bits of sine and cosine differ between C libraries, and a run must not
    /// differ with them.
    pub fn new(model: &LatencyModel) -> Self {
        let one_way = Pop::all()
            .flat_map(|from| {
                Pop::all()
                    .map(move |to| model.one_way_us(from.distance_km(to)).round() as u64 * 1_000)
            })
            .collect();
        Self { one_way }
    }

    /// Time of a packet from one PoP to another, in nanoseconds; within one PoP half of the metropolitan round trip.
    #[inline]
    pub fn one_way(&self, from: Pop, to: Pop) -> u64 {
        self.one_way[from.index() * Pop::COUNT + to.index()]
    }

    /// Round-trip time in nanoseconds.
    pub fn rtt(&self, from: Pop, to: Pop) -> u64 {
        self.one_way(from, to) + self.one_way(to, from)
    }

    /// The PoP of the hint's region that is nearest to `caller`: where an object asked for with that hint is placed.
    pub fn place(&self, hint: LocationHint, caller: Pop) -> Pop {
        Pop::all()
            .filter(|pop| pop.region() == hint)
            .min_by_key(|&pop| self.one_way(caller, pop))
            .expect("every region has a PoP")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pop(code: &str) -> Pop {
        Pop::from_code(code).unwrap_or_else(|| panic!("no PoP {code}"))
    }

    #[test]
    fn the_table_has_at_least_25_places_under_different_codes() {
        const { assert!(Pop::COUNT >= 25) };
        for pop in Pop::all() {
            assert_eq!(Pop::from_code(pop.code()), Some(pop));
            assert_eq!(pop.code().len(), 3);
            let (latitude, longitude) = pop.coordinates();
            assert!((-90.0..=90.0).contains(&latitude) && (-180.0..=180.0).contains(&longitude));
            assert_eq!(Pop::nearest(latitude, longitude), pop);
        }
        assert_eq!(Pop::from_code("mex").map(Pop::city), Some("Mexico City"));
        assert_eq!(Pop::from_code("XXX"), None);
    }

    #[test]
    fn every_region_has_a_place_for_objects() {
        let topology = Topology::default();
        for (hint, name) in LocationHint::ALL {
            assert_eq!(LocationHint::from_name(name), Some(hint));
            assert_eq!(hint.name(), name);
            assert_eq!(topology.place(hint, pop("MEX")).region(), hint);
        }
        assert_eq!(topology.place(LocationHint::Weur, pop("WAW")), pop("ARN"));
        assert_eq!(topology.place(LocationHint::Enam, pop("MEX")), pop("MEX"));
        assert_eq!(LocationHint::from_name("mars"), None);
    }

    /// Distances as airlines publish them, on the ellipsoid.
    #[test]
    fn distances_are_within_one_percent_of_the_published_ones() {
        for (from, to, km) in [
            ("LHR", "SIN", 10_885.0),
            ("LHR", "CDG", 348.0),
            ("FRA", "NRT", 9_366.0),
            ("SYD", "LAX", 12_051.0),
            ("MAD", "MEX", 9_069.0),
            ("JNB", "GRU", 7_427.0),
            ("LHR", "EWR", 5_568.0),
            ("SEA", "LAX", 1_536.0),
            ("DXB", "LHR", 5_496.0),
            ("HKG", "SIN", 2_567.0),
            ("SCL", "SYD", 11_350.0),
            ("ORD", "DFW", 1_290.0),
        ] {
            let measured = pop(from).distance_km(pop(to));
            assert!(
                (measured - km).abs() / km < 0.01,
                "{from}-{to}: {measured:.0} km, expected {km:.0}"
            );
        }
    }

    #[test]
    fn times_are_symmetric_and_keep_the_triangle() {
        let topology = Topology::default();
        for a in Pop::all() {
            assert_eq!(topology.rtt(a, a), METRO_RTT.as_nanos() as u64);
            for b in Pop::all() {
                assert_eq!(topology.one_way(a, b), topology.one_way(b, a));
                for c in Pop::all() {
                    // The floor is paid once per leg, so a detour never wins; 2 µs for rounding.
                    assert!(
                        topology.one_way(a, b)
                            <= topology.one_way(a, c) + topology.one_way(c, b) + 2_000
                    );
                }
            }
        }
    }

    #[test]
    fn london_to_singapore_takes_about_165_ms() {
        let rtt_ms = Topology::default().rtt(pop("LHR"), pop("SIN")) as f64 / 1e6;
        assert!((155.0..175.0).contains(&rtt_ms), "{rtt_ms} ms");
    }

    #[test]
    fn no_time_is_so_near_to_a_rounding_edge_that_another_libm_could_tip_it() {
        let model = LatencyModel::default();
        for a in Pop::all() {
            for b in Pop::all() {
                let us = model.one_way_us(a.distance_km(b));
                assert!((us.fract() - 0.5).abs() > 1e-7, "{a}-{b}: {us} µs");
            }
        }
    }

    #[test]
    fn pops_are_serialised_by_code() {
        let json = serde_json::to_string(&pop("GRU")).expect("a string");
        assert_eq!(json, "\"GRU\"");
        assert_eq!(
            serde_json::from_str::<Pop>(&json).expect("a known code"),
            pop("GRU")
        );
        assert!(serde_json::from_str::<Pop>("\"XXX\"").is_err());
    }
}
