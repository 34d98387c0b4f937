//! SHOW statements.

use super::Seeded;
use super::select::condition;

pub(super) fn show(random: &mut Seeded) -> String {
    let from =
        random.pick(&["", "", " FROM m", " FROM m, k", " FROM /m|k/", " FROM nope", " FROM fuzz.autogen.m", " FROM n"]);
    let on = if from.contains("fuzz.") { "" } else { random.pick(&["", "", "", " ON fuzz", " ON nodb"]) };
    let tags = |random: &mut Seeded| {
        random
            .pick(&[
                "",
                "",
                " WHERE h = 'a'",
                " WHERE h != 'a'",
                " WHERE h =~ /a|c/",
                " WHERE z = ''",
                " WHERE z !~ /1/",
                " WHERE h = 'a' OR z = '1'",
                " WHERE (h = 'b' AND z != '')",
                " WHERE nope = 'x'",
                " WHERE nope = ''",
                " WHERE h = 'c' AND h != 'a'",
            ])
            .to_owned()
    };
    let page = random.pick(&["", "", "", " LIMIT 1", " LIMIT 2 OFFSET 1", " OFFSET 1"]);
    let exact = random.pick(&["", " EXACT"]);
    match random.below(14) {
        0 => {
            let with = random.pick(&["", "", " WITH MEASUREMENT = m", " WITH MEASUREMENT =~ /m|k/"]);
            format!("SHOW MEASUREMENTS{on}{with}{}{page}", tags(random))
        }
        1 | 2 => format!("SHOW SERIES{on}{from}{}{page}", tags(random)),
        3 => format!("SHOW TAG KEYS{on}{from}{}{page}", tags(random)),
        4..=6 => {
            let with = random.pick(&[
                "= h",
                "= z",
                "IN (h, z)",
                "=~ /h|z/",
                "!= h",
                "!~ /h/",
                "= nope",
                "= \"h\"",
                "IN (nope, h)",
            ]);
            format!("SHOW TAG VALUES{on}{from} WITH KEY {with}{}{page}", tags(random))
        }
        7 => format!("SHOW FIELD KEYS{on}{from}{page}"),
        8 => format!("SHOW SERIES EXACT CARDINALITY{on}{from}{}", tags(random)),
        9 => format!("SHOW TAG KEY{exact} CARDINALITY{on}{from}{}", tags(random)),
        10 => format!("SHOW FIELD KEY{exact} CARDINALITY{on}{from}"),
        11 => format!(
            "SHOW TAG VALUES{exact} CARDINALITY{on}{from} WITH KEY = {}{}",
            random.pick(&["h", "z"]),
            tags(random)
        ),
        12 => format!("SHOW MEASUREMENT EXACT CARDINALITY{on}{from}{}", tags(random)),
        _ => {
            let condition = condition(random);
            format!("SHOW {}{from} WHERE {condition}{page}", random.pick(&["SERIES", "TAG KEYS"]))
        }
    }
}
