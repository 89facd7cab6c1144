//! How a class wraps a `JsValue`.

/// Declares a class: `Name extends Parent, FurtherAncestors; is |value| test`.
///
/// The test tells whether a value is of the class. A `boxed` class is that of a primitive and has no
/// instances: there are no wrapper objects such as `new String("")` here.
macro_rules! class {
    (
        $(#[$doc:meta])*
        $name:ident extends $parent:ident $(, $ancestor:ident)*;
        $kind:ident |$value:ident| $test:expr
    ) => {
        $(#[$doc])*
        #[derive(Clone, ref_cast::RefCast)]
        #[repr(transparent)]
        pub struct $name {
            obj: $parent,
        }

        impl std::ops::Deref for $name {
            type Target = $parent;

            fn deref(&self) -> &$parent {
                &self.obj
            }
        }

        impl AsRef<$crate::wasm_bindgen::JsValue> for $name {
            fn as_ref(&self) -> &$crate::wasm_bindgen::JsValue {
                self.obj.as_ref()
            }
        }

        impl From<$name> for $crate::wasm_bindgen::JsValue {
            fn from(value: $name) -> Self {
                value.obj.into()
            }
        }

        impl From<$crate::wasm_bindgen::JsValue> for $name {
            /// Unchecked, as with wasm-bindgen; `dyn_into` checks.
            fn from(value: $crate::wasm_bindgen::JsValue) -> Self {
                Self { obj: value.into() }
            }
        }

        impl $crate::wasm_bindgen::JsCast for $name {
            fn instanceof(value: &$crate::wasm_bindgen::JsValue) -> bool {
                class!(@instanceof $kind, value, Self)
            }

            fn is_type_of($value: &$crate::wasm_bindgen::JsValue) -> bool {
                $test
            }

            fn unchecked_from_js(value: $crate::wasm_bindgen::JsValue) -> Self {
                value.into()
            }

            fn unchecked_from_js_ref(value: &$crate::wasm_bindgen::JsValue) -> &Self {
                let parent = <$parent as $crate::wasm_bindgen::JsCast>::unchecked_from_js_ref(value);
                <Self as ref_cast::RefCast>::ref_cast(parent)
            }
        }

        class!(@ancestors $name: $parent $($ancestor)*);
    };
    (@instanceof is, $value:ident, $class:ty) => {
        <$class as $crate::wasm_bindgen::JsCast>::is_type_of($value)
    };
    (@instanceof boxed, $value:ident, $class:ty) => {{
        let _ = $value;
        false
    }};
    (@ancestors $name:ident: JsValue) => {};
    (@ancestors $name:ident: $($ancestor:ident)*) => {$(
        impl From<$name> for $ancestor {
            fn from(value: $name) -> Self {
                $crate::wasm_bindgen::JsValue::from(value).into()
            }
        }

        impl AsRef<$ancestor> for $name {
            fn as_ref(&self) -> &$ancestor {
                $crate::wasm_bindgen::JsCast::unchecked_ref(self)
            }
        }
    )*};
}

/// `Debug` and `===` for a class, as derived in js-sys.
macro_rules! plain_traits {
    ($($name:ident)*) => {$(
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($name)).field("obj", &self.obj).finish()
            }
        }

        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                self.obj == other.obj
            }
        }

        impl Eq for $name {}
    )*};
}

pub(crate) use {class, plain_traits};
