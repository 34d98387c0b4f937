//! Bind parameters: the JSON object of `params=`, each entry one token of InfluxQL.
//!
//! The JSON is read here and not by a library because InfluxDB's answers show its decoder's words, and because a
//! number's text matters: with a point it is a float, without an integer. As there, what follows the first value is
//! ignored and the last of equal names counts.

mod json;

use std::fmt;

use thiserror::Error;

use self::json::Json;
use super::ast::{plain_float, write_duration};
use crate::number::parse_f64;

/// The parameters of a request, by name.
#[derive(Clone, Debug, Default)]
pub struct Params {
    entries: Vec<(String, Param)>,
}

/// What `$name` stands for: a token with its text.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Param {
    Ident(String),
    String(String),
    Regex(String),
    Number(String),
    Integer(String),
    Duration(String),
    Boolean(bool),
    /// The wrong kind of value, with the reason; an error only if it is used.
    Unusable(String),
}

/// Why `params` cannot be read; `Display` is InfluxDB's whole text.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct ParamsError(String);

impl Params {
    /// Reads the JSON object (or `null`) of a request.
    ///
    /// # Errors
    /// The JSON is broken or no object, or a number fits neither an integer nor a float.
    pub fn from_json(text: &str) -> Result<Self, ParamsError> {
        let unreadable =
            |why: &dyn fmt::Display| ParamsError(["error parsing query parameters: ", &why.to_string()].concat());
        let entries = match Json::read(text).map_err(|why| unreadable(&why))? {
            Json::Null => Vec::new(),
            Json::Object(entries) => entries,
            other => {
                let text = "json: cannot unmarshal ";
                let why = [text, other.kind(), " into Go value of type map[string]interface {}"].concat();
                return Err(unreadable(&why));
            }
        };
        let mut params = Self::default();
        for (name, value) in entries {
            if let Json::Number(text) = value {
                let param = number(text).map_err(|why| ParamsError(["error parsing json value: ", &why].concat()))?;
                params.entries.push((name, param));
            } else {
                params.entries.push((name, bind(value)));
            }
        }
        Ok(params)
    }

    pub(super) fn get(&self, name: &str) -> Option<&Param> {
        self.entries.iter().find(|(known, _)| known == name && !name.is_empty()).map(|(_, param)| param)
    }
}

/// What a value that is no number stands for.
fn bind(value: Json<'_>) -> Param {
    match value {
        Json::String(text) => Param::String(text),
        Json::Bool(value) => Param::Boolean(value),
        Json::Object(entries) => match <[(String, Json<'_>); 1]>::try_from(entries) {
            Ok([(kind, value)]) => bind_as(&kind, value),
            Err(_) => unusable("bound object parameter value must have exactly one entry"),
        },
        Json::Null => unusable("unable to bind parameter with type <nil>"),
        Json::Array => unusable("unable to bind parameter with type []interface {}"),
        Json::Number(text) => number(text).unwrap_or_else(Param::Unusable),
    }
}

/// What `{kind: value}` stands for.
fn bind_as(kind: &str, value: Json<'_>) -> Param {
    let value = match value {
        Json::Number(text) => match number(text) {
            Ok(param) => Ok(param),
            Err(why) => return Param::Unusable(why),
        },
        other => Err(other),
    };
    match (kind, value) {
        ("ident" | "identifier", Err(Json::String(text))) => Param::Ident(text),
        ("ident" | "identifier", _) => unusable("identifier must be a string value"),
        ("regex", Err(Json::String(text))) => Param::Regex(text),
        ("regex", _) => unusable("regex literal must be a string value"),
        ("string", Err(Json::String(text))) => Param::String(text),
        ("string", _) => unusable("string literal must be a string value"),
        ("float" | "number", Ok(Param::Number(text))) => Param::Number(text),
        ("float" | "number", Ok(Param::Integer(text))) => Param::Number(match parse_f64(text.as_bytes()) {
            Some(value) => plain_float(value),
            None => text,
        }),
        ("float" | "number", _) => unusable("number literal must be a float value"),
        ("int" | "integer", Ok(param @ Param::Integer(_))) => param,
        ("int" | "integer", _) => unusable("integer literal must be an integer value"),
        ("duration", Err(Json::String(text))) => Param::Duration(text),
        ("duration", Ok(Param::Integer(text))) => {
            let mut out = String::new();
            write_duration(text.parse().unwrap_or(0), &mut out);
            Param::Duration(out)
        }
        ("duration", _) => unusable("duration literal must be a string or integer value"),
        (kind, _) => Param::Unusable(["unknown bind object type: ", kind].concat()),
    }
}

fn unusable(why: &str) -> Param {
    Param::Unusable(why.to_owned())
}

/// A number with a point is a float, any other an integer.
fn number(text: &str) -> Result<Param, String> {
    let fails = |function, why| ["strconv.", function, ": parsing \"", text, "\": ", why].concat();
    if text.contains('.') {
        return match parse_f64(text.as_bytes()) {
            Some(value) => Ok(Param::Number(plain_float(value))),
            None => Err(fails("ParseFloat", "value out of range")),
        };
    }
    match text.parse::<i64>() {
        Ok(value) => Ok(Param::Integer(value.to_string())),
        Err(_) if text.contains(['e', 'E']) => Err(fails("ParseInt", "invalid syntax")),
        Err(_) => Err(fails("ParseInt", "value out of range")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse::parse_query;
    use super::*;
    use crate::limits::Limits;

    const VALUE: &str = "SELECT v FROM m WHERE a = $p";
    const LIMIT: &str = "SELECT v FROM m LIMIT $p";
    const SOURCE: &str = "SELECT v FROM $p";
    const REGEX: &str = "SELECT v FROM m WHERE a =~ $p";

    fn answer(json: &str, query: &str) -> String {
        let params = match Params::from_json(json) {
            Ok(params) => params,
            Err(why) => return format!("! {why}"),
        };
        match parse_query(query, &params, &Limits::default()) {
            Ok(statements) => format!("= {}", statements[0]),
            Err(why) => format!("! {why}"),
        }
    }

    /// All of these were asked of InfluxDB 1.6.7.
    #[test]
    fn parameters_are_influxdbs() {
        let cases = [
            (r#"{"p":"x"}"#, VALUE, "= SELECT v FROM m WHERE a = 'x'"),
            (r#"{"p":"x"}"#, LIMIT, "! found x, expected integer at line 1, char 23"),
            (r#"{"p":"x"}"#, SOURCE, "! found x, expected identifier at line 1, char 15"),
            (r#"{"p":"x"}"#, REGEX, "! found x, expected regex at line 1, char 28"),
            (r#"{"p":1}"#, VALUE, "= SELECT v FROM m WHERE a = 1"),
            (r#"{"p":1.5}"#, VALUE, "= SELECT v FROM m WHERE a = 1.500"),
            (r#"{"p":1.5}"#, LIMIT, "! found 1.5, expected integer at line 1, char 23"),
            (r#"{"p":1e2}"#, VALUE, r#"! error parsing json value: strconv.ParseInt: parsing "1e2": invalid syntax"#),
            (
                r#"{"p":1.5e400}"#,
                VALUE,
                r#"! error parsing json value: strconv.ParseFloat: parsing "1.5e400": value out of range"#,
            ),
            (
                r#"{"p":99999999999999999999}"#,
                VALUE,
                r#"! error parsing json value: strconv.ParseInt: parsing "99999999999999999999": value out of range"#,
            ),
            (r#"{"p":-5}"#, VALUE, "= SELECT v FROM m WHERE a = -5"),
            (r#"{"p":-5}"#, LIMIT, "! LIMIT must be >= 0 at line 1, char 23"),
            (r#"{"p":-1.5}"#, VALUE, "= SELECT v FROM m WHERE a = -1.500"),
            (r#"{"p":true}"#, VALUE, "= SELECT v FROM m WHERE a = true"),
            (r#"{"p":true}"#, LIMIT, "! found TRUE, expected integer at line 1, char 23"),
            (r#"{"p":null}"#, VALUE, "! missing parameter: unable to bind parameter with type <nil>"),
            (
                r#"{"p":null}"#,
                LIMIT,
                "! found unable to bind parameter with type <nil>, expected integer at line 1, char 23",
            ),
            (r#"{"p":[1]}"#, VALUE, "! missing parameter: unable to bind parameter with type []interface {}"),
            (r#"{"p":{}}"#, VALUE, "! missing parameter: bound object parameter value must have exactly one entry"),
            (
                r#"{"p":{"a":1,"b":2}}"#,
                VALUE,
                "! missing parameter: bound object parameter value must have exactly one entry",
            ),
            (r#"{"p":{"foo":1}}"#, VALUE, "! missing parameter: unknown bind object type: foo"),
            (r#"{"p":{"ident":1}}"#, VALUE, "! missing parameter: identifier must be a string value"),
            (r#"{"p":{"ident":"a b"}}"#, VALUE, r#"= SELECT v FROM m WHERE a = "a b""#),
            (r#"{"p":{"ident":"a b"}}"#, LIMIT, "! found a b, expected integer at line 1, char 23"),
            (r#"{"p":{"ident":"a b"}}"#, SOURCE, r#"= SELECT v FROM "a b""#),
            (r#"{"p":{"ident":"a b"}}"#, REGEX, "! found a b, expected regex at line 1, char 28"),
            (r#"{"p":{"identifier":""}}"#, VALUE, r#"= SELECT v FROM m WHERE a = """#),
            (r#"{"p":{"regex":1}}"#, VALUE, "! missing parameter: regex literal must be a string value"),
            (r#"{"p":{"regex":"a.b"}}"#, VALUE, "= SELECT v FROM m WHERE a = /a.b/"),
            (r#"{"p":{"regex":"a.b"}}"#, LIMIT, "! found a.b, expected integer at line 1, char 23"),
            (r#"{"p":{"regex":"a.b"}}"#, SOURCE, "= SELECT v FROM /a.b/"),
            (r#"{"p":{"regex":"a.b"}}"#, REGEX, "= SELECT v FROM m WHERE a =~ /a.b/"),
            (r#"{"p":{"string":1}}"#, VALUE, "! missing parameter: string literal must be a string value"),
            (r#"{"p":{"string":"it's"}}"#, VALUE, r"= SELECT v FROM m WHERE a = 'it\'s'"),
            (r#"{"p":{"float":"x"}}"#, VALUE, "! missing parameter: number literal must be a float value"),
            (r#"{"p":{"float":1}}"#, VALUE, "= SELECT v FROM m WHERE a = 1.000"),
            (r#"{"p":{"float":1.5}}"#, VALUE, "= SELECT v FROM m WHERE a = 1.500"),
            (
                r#"{"p":{"number":1e3}}"#,
                VALUE,
                r#"! missing parameter: strconv.ParseInt: parsing "1e3": invalid syntax"#,
            ),
            (r#"{"p":{"float":1.0e3}}"#, VALUE, "= SELECT v FROM m WHERE a = 1000.000"),
            (r#"{"p":{"int":1.5}}"#, VALUE, "! missing parameter: integer literal must be an integer value"),
            (r#"{"p":{"int":"1"}}"#, VALUE, "! missing parameter: integer literal must be an integer value"),
            (r#"{"p":{"integer":7}}"#, VALUE, "= SELECT v FROM m WHERE a = 7"),
            (
                r#"{"p":{"integer":99999999999999999999}}"#,
                VALUE,
                r#"! missing parameter: strconv.ParseInt: parsing "99999999999999999999": value out of range"#,
            ),
            (r#"{"p":{"duration":"5m"}}"#, VALUE, "= SELECT v FROM m WHERE a = 5m"),
            (r#"{"p":{"duration":"bad"}}"#, VALUE, "! invalid duration"),
            (r#"{"p":{"duration":"bad"}}"#, LIMIT, "! found bad, expected integer at line 1, char 23"),
            (r#"{"p":{"duration":""}}"#, VALUE, "! invalid duration"),
            (r#"{"p":{"duration":""}}"#, LIMIT, "! found DURATIONVAL, expected integer at line 1, char 23"),
            (r#"{"p":{"duration":300000000000}}"#, VALUE, "= SELECT v FROM m WHERE a = 5m"),
            (r#"{"p":{"duration":0}}"#, VALUE, "= SELECT v FROM m WHERE a = 0s"),
            (
                r#"{"p":{"duration":1.5}}"#,
                VALUE,
                "! missing parameter: duration literal must be a string or integer value",
            ),
            (
                r#"{"p":{"duration":true}}"#,
                VALUE,
                "! missing parameter: duration literal must be a string or integer value",
            ),
            (r#"{"p":{"foo":null}}"#, VALUE, "! missing parameter: unknown bind object type: foo"),
            (r#"{"p":{"a":{"b":1}}}"#, VALUE, "! missing parameter: unknown bind object type: a"),
            (
                "[]",
                VALUE,
                "! error parsing query parameters: json: cannot unmarshal array into Go value of type map[string]interface {}",
            ),
            (
                "1",
                VALUE,
                "! error parsing query parameters: json: cannot unmarshal number into Go value of type map[string]interface {}",
            ),
            (
                r#""x""#,
                VALUE,
                "! error parsing query parameters: json: cannot unmarshal string into Go value of type map[string]interface {}",
            ),
            (
                "true",
                VALUE,
                "! error parsing query parameters: json: cannot unmarshal bool into Go value of type map[string]interface {}",
            ),
            ("null", VALUE, "! missing parameter: p"),
            ("{", VALUE, "! error parsing query parameters: unexpected EOF"),
            (r#"{"p""#, VALUE, "! error parsing query parameters: unexpected EOF"),
            (r#"{"p":"#, VALUE, "! error parsing query parameters: unexpected EOF"),
            (r#"{"p":1"#, VALUE, "! error parsing query parameters: unexpected EOF"),
            (r#"{"p":1,"#, VALUE, "! error parsing query parameters: unexpected EOF"),
            (
                r#"{"p":1,}"#,
                VALUE,
                "! error parsing query parameters: invalid character '}' looking for beginning of object key string",
            ),
            (
                "{p:1}",
                VALUE,
                "! error parsing query parameters: invalid character 'p' looking for beginning of object key string",
            ),
            (
                r#"{"p":tru}"#,
                VALUE,
                "! error parsing query parameters: invalid character '}' in literal true (expecting 'e')",
            ),
            (r#"{"p":tr"#, VALUE, "! error parsing query parameters: unexpected EOF"),
            (
                r#"{"p":01}"#,
                VALUE,
                "! error parsing query parameters: invalid character '1' after object key:value pair",
            ),
            (
                r#"{"p":1.}"#,
                VALUE,
                "! error parsing query parameters: invalid character '}' after decimal point in numeric literal",
            ),
            (
                r#"{"p":1.x}"#,
                VALUE,
                "! error parsing query parameters: invalid character 'x' after decimal point in numeric literal",
            ),
            (
                r#"{"p":1e}"#,
                VALUE,
                "! error parsing query parameters: invalid character '}' in exponent of numeric literal",
            ),
            (r#"{"p":-}"#, VALUE, "! error parsing query parameters: invalid character '}' in numeric literal"),
            (r#"{"p":-x}"#, VALUE, "! error parsing query parameters: invalid character 'x' in numeric literal"),
            (r#"{"p":"a\qb"}"#, VALUE, "! error parsing query parameters: invalid character 'q' in string escape code"),
            (
                r#"{"p":"a\u12g4"}"#,
                VALUE,
                r"! error parsing query parameters: invalid character 'g' in \u hexadecimal character escape",
            ),
            (r#"{"p":"\ud83d\ude00"}"#, VALUE, "= SELECT v FROM m WHERE a = '😀'"),
            (r#"{"p":"\ud83d"}"#, VALUE, "= SELECT v FROM m WHERE a = '�'"),
            (r#"{"p":1} trailing"#, VALUE, "= SELECT v FROM m WHERE a = 1"),
            (r#"{"p":1}{"q":2}"#, VALUE, "= SELECT v FROM m WHERE a = 1"),
            (r#"{"p":[1,2}"#, VALUE, "! error parsing query parameters: invalid character '}' after array element"),
            (r#"{"p":[1 2]}"#, VALUE, "! error parsing query parameters: invalid character '2' after array element"),
            (r#"{"p" 1}"#, VALUE, "! error parsing query parameters: invalid character '1' after object key"),
            (
                r#"{"p":1 "q":2}"#,
                VALUE,
                r#"! error parsing query parameters: invalid character '"' after object key:value pair"#,
            ),
            ("é", VALUE, "! error parsing query parameters: invalid character 'Ã' looking for beginning of value"),
            (
                r#"{"p":é}"#,
                VALUE,
                "! error parsing query parameters: invalid character 'Ã' looking for beginning of value",
            ),
            (
                r#"{"p":'x'}"#,
                VALUE,
                r"! error parsing query parameters: invalid character '\'' looking for beginning of value",
            ),
            ("'", VALUE, r"! error parsing query parameters: invalid character '\'' looking for beginning of value"),
            (r#"""#, VALUE, "! error parsing query parameters: unexpected EOF"),
            ("{\"p\":\"a\tb\"}", VALUE, r"! error parsing query parameters: invalid character '\t' in string literal"),
            (r#"{"p":1,"p":2}"#, VALUE, "= SELECT v FROM m WHERE a = 2"),
            ("   ", VALUE, "! error parsing query parameters: EOF"),
            (
                r#"{"p":nul1}"#,
                VALUE,
                "! error parsing query parameters: invalid character '1' in literal null (expecting 'l')",
            ),
            (
                r#"{"p":{"float":1e999}}"#,
                VALUE,
                r#"! missing parameter: strconv.ParseInt: parsing "1e999": invalid syntax"#,
            ),
            (
                r#"{"p":0x1}"#,
                VALUE,
                "! error parsing query parameters: invalid character 'x' after object key:value pair",
            ),
            (r#"{"p":1.0}"#, VALUE, "= SELECT v FROM m WHERE a = 1.000"),
            (r#"{"p":100000000000000000000000.0}"#, VALUE, "= SELECT v FROM m WHERE a = 99999999999999991611392.000"),
            (
                r#"{"p":100000000000000000000000.0}"#,
                LIMIT,
                "! found 100000000000000000000000, expected integer at line 1, char 23",
            ),
            (r#"{"p":0.000001}"#, VALUE, "= SELECT v FROM m WHERE a = 0.000"),
            (r#"{"p":{"float":"1.5"}}"#, VALUE, "! missing parameter: number literal must be a float value"),
            (r#"{"p":"a\u0041\n\/\"b"}"#, VALUE, r#"= SELECT v FROM m WHERE a = 'aA\n/"b'"#),
            (r#"{"p":"\udc00x"}"#, VALUE, "= SELECT v FROM m WHERE a = '�x'"),
            (r#"{"p":"\ud83d\u0041"}"#, VALUE, "= SELECT v FROM m WHERE a = '�A'"),
            (r#"{"p":{"int":1,"int":2}}"#, VALUE, "= SELECT v FROM m WHERE a = 2"),
            (r#"{"p":{"int":1,"int":2}}"#, LIMIT, "= SELECT v FROM m LIMIT 2"),
            (
                r#"{"p":falsy}"#,
                VALUE,
                "! error parsing query parameters: invalid character 'y' in literal false (expecting 'e')",
            ),
            (
                r#"{"p":[[{}],{"a":[]}]}"#,
                VALUE,
                "! missing parameter: unable to bind parameter with type []interface {}",
            ),
            (r#"{"p":"\"#, VALUE, "! error parsing query parameters: unexpected EOF"),
            (r#"{"p":"\u12"#, VALUE, "! error parsing query parameters: unexpected EOF"),
            (
                r#"{"p":1e+}"#,
                VALUE,
                "! error parsing query parameters: invalid character '}' in exponent of numeric literal",
            ),
            (r#"{"p":-0}"#, VALUE, "= SELECT v FROM m WHERE a = 0"),
            (r#"{"p":-0}"#, LIMIT, "= SELECT v FROM m"),
            (r#"{"p":-0.0}"#, VALUE, "= SELECT v FROM m WHERE a = -0.000"),
            (r#"{"p":-0.0}"#, LIMIT, "! found -0, expected integer at line 1, char 23"),
            (r#"{"q":1}"#, VALUE, "! missing parameter: p"),
            (r#"{"":1}"#, VALUE, "! missing parameter: p"),
            (
                r#"{"p":1,"q":[}"#,
                VALUE,
                "! error parsing query parameters: invalid character '}' looking for beginning of value",
            ),
            ("\t\n{ \"p\" : 7 } ", VALUE, "= SELECT v FROM m WHERE a = 7"),
            ("{\"p\":\"\u{7f}\"}", VALUE, "= SELECT v FROM m WHERE a = '\u{7f}'"),
            (
                "{\"p\":\u{7f}}",
                VALUE,
                r"! error parsing query parameters: invalid character '\x7f' looking for beginning of value",
            ),
            (
                r#"{"p":\}"#,
                VALUE,
                r"! error parsing query parameters: invalid character '\\' looking for beginning of value",
            ),
            (
                r#"{"p":1e5.5}"#,
                VALUE,
                "! error parsing query parameters: invalid character '.' after object key:value pair",
            ),
            (r#"{"p":{"string":"x","string":"y"}}"#, VALUE, "= SELECT v FROM m WHERE a = 'y'"),
            (r#"{"p":{"regex":"/"}}"#, VALUE, r"= SELECT v FROM m WHERE a = /\//"),
        ];
        for (json, query, expected) in cases {
            assert_eq!(answer(json, query), expected, "{json} {query}");
        }
    }

    #[test]
    fn a_parameter_is_one_token_wherever_it_stands() {
        let json = r#"{"i": {"ident": "x; DROP DATABASE y"}, "odd name": "it's", "d": {"duration": "5m"}, "n": 3}"#;
        let query = r#"SELECT mean($i) FROM $i WHERE t = $"odd name" GROUP BY time($d), $i fill($n) LIMIT $n"#;
        assert_eq!(
            answer(json, query),
            r#"= SELECT mean("x; DROP DATABASE y") FROM "x; DROP DATABASE y" WHERE t = 'it\'s' "#.to_owned()
                + r#"GROUP BY time(5m), "x; DROP DATABASE y" fill(3) LIMIT 3"#
        );
    }

    #[test]
    fn deep_json_is_refused() {
        let deep = ["{\"p\":", &"[".repeat(100_000)].concat();
        assert_eq!(answer(&deep, VALUE), "! error parsing query parameters: exceeded max depth");
    }
}
