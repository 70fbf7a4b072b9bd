//! The functions that programs call for package URLs: `purl_to_string`, `purl_from_oci_image`,
//! `purl_from_argocd_helm`, `purl_from_argocd_git_source`. They exist because cdviz-collector has them.

use vrl::compiler::prelude::*;

use super::purl::{self, Purl};

/// All of them.
pub(super) fn all() -> Vec<Box<dyn Function>> {
    const IMAGE: &[Parameter] =
        &[Parameter::required("image", kind::BYTES, "The name of a container image.")];
    const HELM: &[Parameter] = &[
        Parameter::required("repo_url", kind::BYTES, "The chart's repository."),
        Parameter::required("chart", kind::BYTES, "The chart's name."),
        Parameter::required("target_revision", kind::BYTES, "The chart's version."),
    ];
    const GIT: &[Parameter] = &[
        Parameter::required("repo_url", kind::BYTES, "The Git repository."),
        Parameter::optional("path", kind::BYTES, "The folder in it."),
        Parameter::required("target_revision", kind::BYTES, "The branch, tag or commit."),
    ];
    const PURL: &[Parameter] = &[Parameter::required(
        "purl_object",
        kind::OBJECT,
        "The parts: type, name, and if there are any namespace, version, qualifiers and subpath.",
    )];
    let functions = [
        PurlFunction {
            name: "purl_from_oci_image",
            usage: "The parts of the package URL of a container image.",
            parameters: IMAGE,
            returns: Returns::Parts(|arguments| match arguments {
                [Some(image)] => Some(purl::from_oci_image(image)),
                _ => None,
            }),
        },
        PurlFunction {
            name: "purl_from_argocd_helm",
            usage: "The parts of the package URL of a Helm chart that Argo CD deploys.",
            parameters: HELM,
            returns: Returns::Parts(|arguments| match arguments {
                [Some(repository), Some(chart), Some(revision)] => {
                    Some(purl::from_argocd_helm(repository, chart, revision))
                }
                _ => None,
            }),
        },
        PurlFunction {
            name: "purl_from_argocd_git_source",
            usage: "The parts of the package URL of a Git folder that Argo CD deploys.",
            parameters: GIT,
            returns: Returns::Parts(|arguments| match arguments {
                [Some(repository), path, Some(revision)] => {
                    Some(purl::from_argocd_git_source(repository, path.as_deref(), revision))
                }
                _ => None,
            }),
        },
        PurlFunction {
            name: "purl_to_string",
            usage: "The package URL with these parts.",
            parameters: PURL,
            returns: Returns::Text,
        },
    ];
    functions.into_iter().map(|function| Box::new(function) as Box<dyn Function>).collect()
}

#[derive(Clone, Copy, Debug)]
struct PurlFunction {
    name: &'static str,
    usage: &'static str,
    parameters: &'static [Parameter],
    returns: Returns,
}

#[derive(Clone, Copy, Debug)]
enum Returns {
    /// From texts, the parts of a package URL. `None` where a text that must be there is not, which the compiler
    /// rules out.
    Parts(fn(&[Option<String>]) -> Option<Purl>),
    /// From the parts of a package URL, its text. They may be no package URL, so a program must handle that.
    Text,
}

#[derive(Clone, Debug)]
struct PurlCall {
    /// One for each parameter.
    arguments: Vec<Option<Box<dyn Expression>>>,
    returns: Returns,
}

impl Function for PurlFunction {
    fn identifier(&self) -> &'static str {
        self.name
    }

    fn usage(&self) -> &'static str {
        self.usage
    }

    fn category(&self) -> &'static str {
        Category::Convert.as_ref()
    }

    fn return_kind(&self) -> u16 {
        match self.returns {
            Returns::Parts(_) => kind::OBJECT,
            Returns::Text => kind::BYTES,
        }
    }

    fn parameters(&self) -> &'static [Parameter] {
        self.parameters
    }

    fn examples(&self) -> &'static [Example] {
        &[]
    }

    fn compile(
        &self,
        _state: &TypeState,
        _ctx: &mut FunctionCompileContext,
        arguments: ArgumentList,
    ) -> Compiled {
        let arguments =
            self.parameters.iter().map(|parameter| arguments.optional(parameter.keyword)).collect();
        Ok(PurlCall { arguments, returns: self.returns }.as_expr())
    }
}

impl FunctionExpression for PurlCall {
    fn resolve(&self, ctx: &mut Context<'_>) -> Resolved {
        let values = self
            .arguments
            .iter()
            .map(|argument| argument.as_ref().map(|argument| argument.resolve(ctx)).transpose())
            .collect::<Result<Vec<_>, _>>()?;
        match self.returns {
            Returns::Parts(parse) => {
                let texts = values
                    .iter()
                    .map(|value| {
                        let text = value.as_ref().map(Value::try_bytes_utf8_lossy).transpose()?;
                        Ok(text.map(std::borrow::Cow::into_owned))
                    })
                    .collect::<Result<Vec<_>, ExpressionError>>()?;
                Ok(parts(parse(&texts).ok_or("an argument is missing")?))
            }
            Returns::Text => {
                let [Some(Value::Object(object))] = values.as_slice() else {
                    return Err("the parts of a package URL must be an object".into());
                };
                let purl = from_parts(object)?;
                Ok(purl.text().map_err(|error| format!("not a package URL: {error}"))?.into())
            }
        }
    }

    fn type_def(&self, _state: &TypeState) -> TypeDef {
        match self.returns {
            Returns::Parts(_) => TypeDef::object(Collection::any()).infallible(),
            Returns::Text => TypeDef::bytes().fallible(),
        }
    }
}

/// What programs see of a package URL; absent parts are null, but an absent namespace is not there.
fn parts(purl: Purl) -> Value {
    let qualifiers = purl.qualifiers.into_iter().map(|(key, value)| (key.into(), value.into()));
    let mut object = ObjectMap::from([
        ("type".into(), purl.kind.into()),
        ("name".into(), purl.name.into()),
        ("version".into(), purl.version.map_or(Value::Null, Value::from)),
        ("qualifiers".into(), Value::Object(qualifiers.collect())),
        ("subpath".into(), purl.subpath.map_or(Value::Null, Value::from)),
    ]);
    if let Some(namespace) = purl.namespace {
        object.insert("namespace".into(), namespace.into());
    }
    Value::Object(object)
}

/// The reverse of [`parts`]. A part that is not a text is taken as absent.
fn from_parts(object: &ObjectMap) -> Result<Purl, ExpressionError> {
    let text = |key: &str| object.get(key).and_then(Value::to_str_lossy).map(std::borrow::Cow::into_owned);
    let qualifiers = object.get("qualifiers").and_then(Value::as_object).into_iter().flatten();
    Ok(Purl {
        kind: text("type").ok_or("a package URL must have a type")?,
        namespace: text("namespace"),
        name: text("name").ok_or("a package URL must have a name")?,
        version: text("version"),
        qualifiers: qualifiers
            .filter_map(|(key, value)| Some((key.to_string(), value.to_str_lossy()?.into_owned())))
            .collect(),
        subpath: text("subpath"),
    })
}
