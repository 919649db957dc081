//! What reruns found out, in words.

use super::InWords;
use forkpoint_compare::{FirstCall, FirstNan, FollowsFrom, FoundPlace, LeftOpen, Reruns, Unlike};
use forkpoint_replay::TypedValue;
use forkpoint_traces::Hex;
use std::fmt;

impl fmt::Display for InWords<'_, Reruns> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let InWords(reruns) = self;
        reruns.places.iter().try_for_each(|place| writeln!(f, "{}", InWords(place)))?;
        if let Some(follows) = &reruns.follows_from {
            writeln!(f, "{}", InWords(follows))?;
        }
        if let Some(call) = &reruns.first_call {
            writeln!(f, "{}", InWords(call))?;
        }
        reruns.notes.iter().try_for_each(|note| writeln!(f, "Note: {note}."))
    }
}

impl fmt::Display for InWords<'_, FoundPlace> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let FoundPlace { side, trapped, name, site, .. } = self.0;
        let side = side.word();
        let how = if *trapped { "trapped" } else { "had last come to" };
        match site {
            Some(site) if *trapped => write!(f, "By a rerun with markers, {side} {how} at {site}."),
            Some(site) => write!(f, "By a rerun with markers, {side} {how} {site}."),
            None if *trapped => write!(f, "By a rerun with markers, {side} {how} in {name}."),
            None => write!(f, "By a rerun with markers, {side} {how} {name}."),
        }
    }
}

impl fmt::Display for InWords<'_, FollowsFrom> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (from, with) = match self.0.what {
            LeftOpen::NanBits => ("the bits of NaNs", "all NaNs made canonical"),
            LeftOpen::RelaxedSimd => ("results of relaxed SIMD", "relaxed SIMD made definite"),
            LeftOpen::NanBitsAndRelaxedSimd => (
                "the bits of NaNs and results of relaxed SIMD",
                "all NaNs made canonical and relaxed SIMD made definite",
            ),
        };
        write!(f, "This follows from {from}: with {with} on both sides, the runs agree")?;
        f.write_str(if self.0.to_the_end { "." } else { " there, up to a host call that differs." })?;
        let Some(nan) = &self.0.first_nan else { return Ok(()) };
        let FirstNan { site, nth, lhs, rhs, lhs_value, rhs_value, .. } = nan;
        let typed = |bytes: &Hex<Vec<u8>>, value: &Option<TypedValue>| match value {
            Some(value) => format!("{bytes:#} = {value}"),
            None => format!("{bytes:#}"),
        };
        write!(f, " The first NaN whose bits differ is number {nth} of {site}: ")?;
        write!(f, "lhs {}, rhs {}.", typed(lhs, lhs_value), typed(rhs, rhs_value))
    }
}

impl fmt::Display for InWords<'_, FirstCall> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let FirstCall { what, name, nth, lhs, rhs, number, argument_name, .. } = self.0;
        let which = |number: &Option<u32>| match (argument_name, number) {
            (Some(name), _) => format!(" {name}"),
            (None, Some(0) | None) => String::new(),
            (None, Some(number)) => format!(" {number}"),
        };
        match *what {
            Unlike::Result => {
                write!(f, "The first function that returned a different value is {name}, at its return {nth}:")?
            }
            Unlike::Argument => {
                write!(f, "The first call that differs is call {nth} of {name}, in its argument{}:", which(number))?
            }
            Unlike::Calls => write!(f, "From here on the runs call or return differently:")?,
        }
        let result = if *what == Unlike::Result { which(number) } else { String::new() };
        let result = if result.is_empty() { result } else { format!(" (result{result})") };
        write!(f, " lhs {lhs}, rhs {rhs}{result}.")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use forkpoint_traces::FuncIndex;

    #[test]
    fn an_argument_goes_by_its_name() {
        let argument = |number, name: Option<&str>| FirstCall {
            what: Unlike::Argument,
            function: FuncIndex(0),
            name: "scale".to_string(),
            nth: 2,
            number: Some(number),
            argument_name: name.map(str::to_string),
            lhs: "1".to_string(),
            rhs: "2".to_string(),
            events: 9,
        };
        let words = |call: &FirstCall| InWords(call).to_string();
        let start = "The first call that differs is call 2 of scale, in its argument";
        assert_eq!(words(&argument(0, None)), format!("{start}: lhs 1, rhs 2."));
        assert_eq!(words(&argument(1, Some("by"))), format!("{start} by: lhs 1, rhs 2."));
        assert_eq!(words(&argument(3, None)), format!("{start} 3: lhs 1, rhs 2."));
    }
}
